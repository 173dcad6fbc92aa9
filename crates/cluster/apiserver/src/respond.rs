//! Answers: JSON bytes, status objects, warnings, and gzip where the client takes it and it pays.

use std::io::Write as _;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY, WARNING};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Collected};
use hyper::body::Body as _;
use serde_json::Value;
use toolforge_kinds::Status;

/// Answers from this size in bytes on are compressed, as in Kubernetes: below it costs more than it saves.
const GZIP_FROM_BYTES: usize = 128 << 10;

/// JSON bytes as they are.
pub(crate) fn bytes(code: StatusCode, json: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(json.into()));
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
    let is_json = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|found| found.as_bytes().starts_with(b"application/json"));
    if !is_json
        || response.headers().contains_key(CONTENT_ENCODING)
        || response.body().size_hint().exact().is_none()
    {
        return response;
    }
    let (parts, body) = response.into_parts();
    // A body of known size is in memory already.
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let laid_out = serde_json::from_slice::<Value>(&bytes)
        .and_then(|value| serde_json::to_vec_pretty(&value))
        .unwrap_or_else(|_| bytes.to_vec());
    Response::from_parts(parts, Body::from(laid_out))
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
    for warning in warnings {
        let quoted: String = warning
            .chars()
            .map(|character| {
                if character.is_ascii_graphic() || character == ' ' {
                    character
                } else {
                    ' '
                }
            })
            .collect::<String>()
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(WARNING, value);
        }
    }
}

/// Whether a client takes gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .split(',')
                .any(|part| part.split(';').next().is_some_and(|name| name.trim() == "gzip"))
        })
}

/// JSON bytes, compressed where that pays.
pub(crate) fn large(code: StatusCode, json: Vec<u8>, gzip: bool) -> Response {
    if !gzip || json.len() < GZIP_FROM_BYTES {
        return bytes(code, json);
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(json.len() / 4), Compression::fast());
    let compressed = encoder.write_all(&json).and_then(|()| encoder.finish());
    let Ok(compressed) = compressed else {
        return bytes(code, json);
    };
    let mut response = bytes(code, compressed);
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}
