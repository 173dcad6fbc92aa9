//! Answers: JSON bytes, status objects, warnings, and gzip where the client takes it and it pays.

use std::io::Write as _;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY, WARNING};
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Collected};
use hyper::body::Body as _;
use serde_json::Value;
use toolforge_kinds::Status;

/// Answers from this size in bytes on are compressed, as in Kubernetes: below it costs more than it saves.
const GZIP_FROM_BYTES: usize = 128 << 10;

/// Characters of all warnings of an answer, as in Kubernetes: headers have limits.
const ALL_WARNINGS: usize = 4096;
/// Characters of each warning when all are too many.
const ONE_WARNING: usize = 256;

/// JSON bytes as they are.
pub(crate) fn bytes(code: StatusCode, json: impl Into<Bytes>) -> Response {
    body(code, Body::from(json.into()))
}

/// JSON as a body that knows its own size.
pub(crate) fn body(code: StatusCode, json: Body) -> Response {
    let mut response = Response::new(json);
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A JSON value.
pub(crate) fn json(code: StatusCode, value: &Value) -> Response {
    bytes(
        code,
        serde_json::to_vec(value).expect("a JSON value always serialises"),
    )
}

/// Plain text.
pub(crate) fn text(code: StatusCode, words: impl Into<String>) -> Response {
    let mut response = Response::new(Body::from(words.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// The same answer, laid out for people. Streams and compressed answers stay as they are.
pub(crate) async fn pretty(response: Response) -> Response {
    rewrite(response, |value| serde_json::to_vec_pretty(value).ok()).await
}

/// The same answer in YAML. Streams, compressed answers and documents that clients keep stay as they are.
pub(crate) async fn yaml(response: Response) -> Response {
    if !is_rewritable(&response) || response.headers().contains_key(ETAG) {
        return response;
    }
    let mut response = rewrite(response, |value| {
        serde_saphyr::to_string(value).ok().map(String::into_bytes)
    })
    .await;
    let form = HeaderValue::from_static("application/yaml");
    response.headers_mut().insert(CONTENT_TYPE, form);
    response
}

/// Whether an answer is JSON that is in memory as it is: a body of known size.
fn is_rewritable(response: &Response) -> bool {
    let content = response.headers().get(CONTENT_TYPE);
    content.is_some_and(|found| found.as_bytes().starts_with(b"application/json"))
        && !response.headers().contains_key(CONTENT_ENCODING)
        && response.body().size_hint().exact().is_some()
}

/// Writes the value of an answer in another way.
async fn rewrite(response: Response, write: impl FnOnce(&Value) -> Option<Vec<u8>>) -> Response {
    if !is_rewritable(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let value = serde_json::from_slice::<Value>(&bytes).ok();
    let written = value
        .and_then(|value| write(&value))
        .unwrap_or_else(|| bytes.to_vec());
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(written))
}

/// A refusal.
pub(crate) fn refusal(status: &Status) -> Response {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(code, &status.to_value());
    if let Some(seconds) = status.retry_after_seconds() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Adds `Warning` headers, which kubectl shows to its user.
pub(crate) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in bounded(warnings) {
        let quoted = warning
            .replace(char::is_control, " ")
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()) {
            response.headers_mut().append(WARNING, value);
        }
    }
}

/// Each warning once. Where they are too much for a header, each is cut short, and then the rest is left out.
fn bounded(warnings: &[String]) -> Vec<String> {
    let mut ordered: Vec<&String> = Vec::new();
    for warning in warnings.iter().filter(|warning| !warning.is_empty()) {
        if !ordered.contains(&warning) {
            ordered.push(warning);
        }
    }
    let length = |text: &str| text.chars().count();
    let total: usize = ordered.iter().map(|warning| length(warning)).sum();
    if total <= ALL_WARNINGS {
        return ordered.into_iter().cloned().collect();
    }
    let mut room = ALL_WARNINGS;
    let mut cut = Vec::new();
    for warning in ordered {
        if room == 0 {
            break;
        }
        let short: String = warning.chars().take(ONE_WARNING).collect();
        room = room.saturating_sub(length(&short));
        cut.push(short);
    }
    cut
}

/// Whether an answer of this size in bytes is worth compressing.
pub(crate) fn is_large(bytes: usize) -> bool {
    bytes >= GZIP_FROM_BYTES
}

/// JSON bytes, compressed where that pays.
pub(crate) async fn large(code: StatusCode, json: Vec<u8>, takes_gzip: bool) -> Response {
    if !takes_gzip || !is_large(json.len()) {
        return bytes(code, json);
    }
    // It takes long enough to keep others waiting.
    let done = tokio::task::spawn_blocking(move || large_here(code, json, true)).await;
    done.unwrap_or_else(|problem| refusal(&Status::internal(problem)))
}

/// The same without leaving the thread, for documents that a client fetches once.
pub(crate) fn large_here(code: StatusCode, json: Vec<u8>, takes_gzip: bool) -> Response {
    if !takes_gzip || !is_large(json.len()) {
        return bytes(code, json);
    }
    match compress(&json) {
        Ok(compressed) => gzip(code, [Bytes::from(compressed)]),
        Err(problem) => refusal(&Status::internal(problem)),
    }
}

fn compress(json: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(json.len() / 4), Compression::fast());
    encoder.write_all(json)?;
    encoder.finish()
}

/// JSON that is compressed already, in parts.
pub(crate) fn gzip<const PARTS: usize>(code: StatusCode, parts: [Bytes; PARTS]) -> Response {
    let size: usize = parts.iter().map(Bytes::len).sum();
    let parts = futures::stream::iter(parts.map(Ok::<_, std::convert::Infallible>));
    let mut response = body(code, Body::from_stream(parts));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "\\PC{0,12}",
            "[ \\n\\t:#'\"a-]{0,12}",
            "(yes|no|on|off|null|~|true|1e3|0x1f|1:30|2026-01-01|-|\\?|!a|&a|\\*a|[|]|>)"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,6}|yes|1|~", inner, 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_as_yaml_is_read_as_the_same(value in any_json()) {
            let value = json!({ "value": value });
            let written = serde_saphyr::to_string(&value).unwrap();
            let read = crate::body::yaml(written.as_bytes()).unwrap();
            prop_assert_eq!(read, value, "{}", written);
        }
    }

    #[test]
    fn warnings_come_once_and_fit_into_headers() {
        let warnings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(bounded(&warnings(&["a", "", "b", "a"])), ["a", "b"]);
        let long: Vec<String> = (0..30)
            .map(|number| format!("{number} {}", "x".repeat(400)))
            .collect();
        let cut = bounded(&long);
        assert_eq!(cut.len(), 16);
        assert!(cut.iter().all(|warning| warning.chars().count() == ONE_WARNING));
        let mut response = text(StatusCode::OK, "");
        warn(&mut response, &warnings(&["say \"grüezi\"\n"]));
        let value = response.headers()[WARNING].as_bytes();
        assert_eq!(value, "299 - \"say \\\"grüezi\\\" \"".as_bytes());
    }
}
