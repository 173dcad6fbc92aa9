//! Which answers are compressed, and what becomes of their headers.

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode, Version,
    header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        VARY,
    },
};
use http_body::Body as _;

use super::{Coding, Desks, Offer, encoder::Encoder, negotiation::choose};
use crate::{
    body::ResponseBody,
    limits::COMPRESSION_MINIMUM_BYTES,
    names::{CONTENT_DIGEST, CONTENT_MD5, DIGEST, REPR_DIGEST},
    visit::names_token,
};

/// Media types that are worth compressing, besides `text/*`, `*+json` and `*+xml`.
const TYPES: [&str; 16] = [
    "application/ecmascript",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/x-icon",
];

/// Events that come now and then, for hours: a window that is held for each is memory, and saves little.
const EVENTS: &str = "text/event-stream";

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) method: &'a Method,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
}

/// Whether it is worth looking closer. Most answers are small, and cost no more than this.
pub(crate) fn may_be_worth_it(response: &Response<ResponseBody>, method: &Method) -> bool {
    let length = if *method == Method::HEAD {
        told_length(response.headers())
    } else {
        response.body().size_hint().exact()
    };
    length.is_none_or(|length| length >= COMPRESSION_MINIMUM_BYTES)
}

/// The answer of a tool, compressed if that may be and the visitor would like it.
pub(crate) fn compress(
    mut response: Response<ResponseBody>,
    reader: Reader<'_>,
    offer: &Offer,
    desks: &Desks,
) -> Response<ResponseBody> {
    if offer.0.is_empty() || !may_be_compressed(response.status(), response.headers()) {
        return response;
    }
    let coding = coding(reader, offer);
    vary(response.headers_mut());
    let Some(coding) = coding else {
        return response;
    };
    if *reader.method == Method::HEAD {
        encoded(response.headers_mut(), coding);
        return response;
    }
    let Some(desk) = desks.take() else {
        return response;
    };
    let encoder = match Encoder::new(coding, response.body().size_hint().exact()) {
        Ok(encoder) => encoder,
        Err(error) => {
            tracing::warn!(%error, coding = coding.name(), "an answer is not compressed");
            return response;
        }
    };
    encoded(response.headers_mut(), coding);
    response.map(|body| body.compressed(encoder, desk))
}

/// What the visitor takes. HTTP/1.0 knows no body whose length is not known beforehand and that may be cut short.
fn coding(reader: Reader<'_>, offer: &Offer) -> Option<Coding> {
    let is_too_old = matches!(reader.version, Version::HTTP_09 | Version::HTTP_10);
    if is_too_old || forbids_change(reader.headers) {
        return None;
    }
    choose(reader.headers, &offer.0)
}

/// Whether an answer is text as it is, whole, and may be changed on its way.
fn may_be_compressed(status: StatusCode, headers: &HeaderMap) -> bool {
    let has_whole_body = !status.is_informational()
        && !matches!(
            status,
            StatusCode::NO_CONTENT
                | StatusCode::RESET_CONTENT
                | StatusCode::PARTIAL_CONTENT
                | StatusCode::NOT_MODIFIED
        );
    has_whole_body
        && headers.get(CONTENT_TYPE).is_some_and(is_worth_it)
        && ![
            CONTENT_ENCODING,
            CONTENT_RANGE,
            CONTENT_DIGEST,
            REPR_DIGEST,
            DIGEST,
            CONTENT_MD5,
        ]
        .iter()
        .any(|name| headers.contains_key(name))
        && !forbids_change(headers)
}

/// `no-transform` (RFC 9111 5.2.1.6 and 5.2.2.6).
fn forbids_change(headers: &HeaderMap) -> bool {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .any(|value| names_token(value, "no-transform"))
}

fn is_worth_it(kind: &HeaderValue) -> bool {
    let kind = kind.as_bytes().split(|byte| *byte == b';').next();
    let kind = kind.unwrap_or_default().trim_ascii();
    let is = |other: &str| kind.eq_ignore_ascii_case(other.as_bytes());
    let begins = kind
        .get(..5)
        .is_some_and(|begin| begin.eq_ignore_ascii_case(b"text/"));
    let ends = |end: &str| {
        let at = kind.len().checked_sub(end.len());
        at.is_some_and(|at| kind[at..].eq_ignore_ascii_case(end.as_bytes()))
    };
    (begins && !is(EVENTS)) || ends("+json") || ends("+xml") || TYPES.iter().any(|other| is(other))
}

fn told_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Says that others may get another answer, also where this one stays as it is.
fn vary(headers: &mut HeaderMap) {
    let is_said = headers
        .get_all(VARY)
        .iter()
        .any(|value| names_token(value, "accept-encoding") || names_token(value, "*"));
    if !is_said {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// The headers of an answer that is compressed.
fn encoded(headers: &mut HeaderMap, coding: Coding) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    headers.remove(CONTENT_LENGTH);
    // Ranges would be of what the tool sent.
    headers.remove(ACCEPT_RANGES);
    if let Some(tag) = headers.get(ETAG) {
        match weak(tag) {
            Some(tag) => headers.insert(ETAG, tag),
            None => headers.remove(ETAG),
        };
    }
}

/// A tag that stands for what was sent, and not for each of its bytes (RFC 9110 8.8.1); nothing for what is no tag.
fn weak(tag: &HeaderValue) -> Option<HeaderValue> {
    let bytes = tag.as_bytes();
    if bytes.starts_with(b"W/\"") {
        return Some(tag.clone());
    }
    if !bytes.starts_with(b"\"") {
        return None;
    }
    HeaderValue::from_bytes(&[b"W/", bytes].concat()).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};

    use super::{Coding, Desks, Offer, Reader, compress, encoded, may_be_compressed, vary};
    use crate::{body::ResponseBody, limits::COMPRESSIONS_AT_ONCE};

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn text_is_compressed_and_what_is_compressed_already_is_not() {
        for (kind, expected) in [
            ("text/html; charset=utf-8", true),
            ("TEXT/CSS", true),
            ("text/event-stream", false),
            ("text/event-stream; charset=utf-8", false),
            ("application/json", true),
            ("application/problem+json", true),
            ("application/JavaScript;v=1", true),
            ("image/svg+xml", true),
            ("application/wasm", true),
            ("font/woff2", false),
            ("image/png", false),
            ("application/octet-stream", false),
            ("application/grpc", false),
            ("", false),
            ("text", false),
        ] {
            let headers = headers(&[("content-type", kind)]);
            assert_eq!(may_be_compressed(StatusCode::OK, &headers), expected, "{kind}");
        }
        assert!(!may_be_compressed(StatusCode::OK, &HeaderMap::new()));
    }

    #[test]
    fn what_may_not_be_changed_stays() {
        for (name, value) in [
            ("content-encoding", "gzip"),
            ("content-encoding", "identity"),
            ("content-range", "bytes 0-1/2"),
            ("cache-control", "public, No-Transform"),
            ("content-digest", "sha-256=:x:"),
            ("repr-digest", "sha-256=:x:"),
            ("digest", "sha-256=x"),
            ("content-md5", "x"),
        ] {
            let headers = headers(&[("content-type", "text/html"), (name, value)]);
            assert!(!may_be_compressed(StatusCode::OK, &headers), "{name}: {value}");
        }
        let headers = headers(&[("content-type", "text/html"), ("cache-control", "public")]);
        for (status, expected) in [
            (200, true),
            (201, true),
            (404, true),
            (500, true),
            (101, false),
            (204, false),
            (205, false),
            (206, false),
            (304, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(may_be_compressed(status, &headers), expected, "{status}");
        }
    }

    #[test]
    fn tags_become_weak_and_lengths_and_ranges_go() {
        for (tag, expected) in [
            ("\"abc\"", Some("W/\"abc\"")),
            ("W/\"abc\"", Some("W/\"abc\"")),
            ("abc", None),
        ] {
            let mut headers = headers(&[("etag", tag), ("content-length", "9"), ("accept-ranges", "bytes")]);
            encoded(&mut headers, Coding::Brotli);
            let seen = headers.get("etag").map(|tag| tag.to_str().unwrap());
            assert_eq!(seen, expected, "{tag}");
            assert_eq!(headers["content-encoding"], "br");
            assert!(!headers.contains_key("content-length") && !headers.contains_key("accept-ranges"));
        }
    }

    #[test]
    fn vary_is_said_once() {
        for (before, expected) in [
            (&[][..], &["Accept-Encoding"][..]),
            (&[("vary", "Cookie")], &["Cookie", "Accept-Encoding"]),
            (
                &[("vary", "Cookie, accept-encoding")],
                &["Cookie, accept-encoding"],
            ),
            (&[("vary", "*")], &["*"]),
        ] {
            let mut headers = headers(before);
            vary(&mut headers);
            let seen: Vec<&HeaderValue> = headers.get_all("vary").iter().collect();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn answers_beyond_what_is_compressed_at_once_pass_as_they_are() {
        let desks = Desks::default();
        let wishes = headers(&[("accept-encoding", "br")]);
        let answer = || {
            let mut response = Response::new(ResponseBody::own("a".repeat(5000)));
            *response.headers_mut() = headers(&[("content-type", "text/html"), ("content-length", "5000")]);
            let reader = Reader {
                method: &Method::GET,
                version: Version::HTTP_11,
                headers: &wishes,
            };
            compress(response, reader, &Offer::default(), &desks)
        };
        let mut held: Vec<_> = (0..COMPRESSIONS_AT_ONCE).map(|_| answer()).collect();
        assert!(
            held.iter()
                .all(|answer| answer.headers()["content-encoding"] == "br")
        );
        let plain = answer();
        assert_eq!(plain.headers()["content-length"], "5000");
        assert_eq!(plain.headers()["vary"], "Accept-Encoding");
        assert!(!plain.headers().contains_key("content-encoding"));
        held.pop();
        assert_eq!(answer().headers()["content-encoding"], "br");
    }
}
