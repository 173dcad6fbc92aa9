//! What a visitor asks for: read from the head of a request, with everything refused that two servers could
//! understand differently. Pure.

use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{ACCEPT, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, UPGRADE},
};
use toolforge_http1::HEADERS_LIMIT;
use toolforge_routing::host_name;

use crate::names::X_REQUEST_ID;

mod path;

/// The longest `X-Request-ID` that is taken over from a visitor, in bytes: it ends up in every log.
const REQUEST_ID_LIMIT_BYTES: usize = 128;

/// How a visitor came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Https,
    /// Without TLS, where the operator serves that.
    Http,
}

impl Scheme {
    /// As URLs have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

/// The part of a request that its answer depends on, whatever becomes of the request.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// `GET`, `POST` and so on.
    pub(crate) method: Method,
    /// The host as the visitor wrote it, with port.
    pub(crate) authority: HeaderValue,
    /// Path and query, as they were sent.
    pub(crate) target: Uri,
    /// What the visitor would like to read.
    pub(crate) accept: Option<HeaderValue>,
    /// The visitor's, or a new one.
    pub(crate) request_id: HeaderValue,
    /// Whether the connection is to become something else.
    pub(crate) is_upgrade: bool,
    /// How the visitor came.
    pub(crate) scheme: Scheme,
}

/// Why a request is answered with an error before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status.
    pub(crate) status: StatusCode,
    /// What is wrong, for the visitor.
    pub(crate) reason: &'static str,
}

const fn refusal(status: StatusCode, reason: &'static str) -> Refusal {
    Refusal { status, reason }
}

impl Visit {
    /// Reads the head of a request. `new_id` makes a request id where the visitor sent none.
    pub(crate) fn read<B>(
        request: &Request<B>,
        scheme: Scheme,
        new_id: impl FnOnce() -> HeaderValue,
    ) -> Result<Self, Refusal> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "This method is not served here.",
            ));
        }
        let headers = request.headers();
        if request.version() == Version::HTTP_2 {
            check_http2(request)?;
        }
        check_expectation(headers)?;
        let authority = authority(request)?;
        let target = target(request.uri())?;
        path::check(target.path())?;
        Ok(Self {
            method: request.method().clone(),
            authority,
            target,
            accept: headers.get(ACCEPT).cloned(),
            request_id: request_id(headers).unwrap_or_else(new_id),
            is_upgrade: is_upgrade(request.version(), headers),
            scheme,
        })
    }

    /// The host as text.
    pub(crate) fn authority(&self) -> &str {
        // `authority` let ASCII through and nothing else.
        self.authority.to_str().unwrap_or_default()
    }

    /// The port that the visitor names with the host.
    pub(crate) fn port(&self) -> Option<u16> {
        let (_, port) = self.authority().rsplit_once(':')?;
        port.parse().ok()
    }

    /// The path alone.
    pub(crate) fn path(&self) -> &str {
        self.target.path()
    }

    /// Path and query.
    pub(crate) fn path_and_query(&self) -> &str {
        self.target.path_and_query().map_or("/", |target| target.as_str())
    }
}

/// What hyper lets through of what RFC 9113 calls malformed, and what would make a head that HTTP/1.1 has no room for.
fn check_http2<B>(request: &Request<B>) -> Result<(), Refusal> {
    const BAD: Refusal = refusal(StatusCode::BAD_REQUEST, "The request is malformed.");
    let headers = request.headers();
    if headers.keys_len() > HEADERS_LIMIT {
        return Err(refusal(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "The head of the request has more than 128 fields.",
        ));
    }
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_padded =
        |value: &HeaderValue| is_blank(value.as_bytes().first()) || is_blank(value.as_bytes().last());
    // 8.2.1: in HTTP/1.1 it would mean nothing, and not be what was sent.
    let is_bad = headers.values().any(is_padded)
        // RFC 9110 8.6: a length is made of digits, of which there is one at least.
        || headers.get(CONTENT_LENGTH).is_some_and(HeaderValue::is_empty)
        // 8.3.1.
        || request.uri().authority().is_some() && request.uri().scheme_str().is_none_or(str::is_empty);
    if is_bad { Err(BAD) } else { Ok(()) }
}

/// Whether there is nothing to expect but what we can do.
fn check_expectation(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(EXPECT) {
        Some(expected) if !expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => Err(refusal(
            StatusCode::EXPECTATION_FAILED,
            "Only the expectation 100-continue can be met.",
        )),
        _ => Ok(()),
    }
}

/// The one host that the request names.
fn authority<B>(request: &Request<B>) -> Result<HeaderValue, Refusal> {
    const BAD: Refusal = refusal(
        StatusCode::BAD_REQUEST,
        "The request names no host, or more than one.",
    );
    let mut hosts = request.headers().get_all(HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err(BAD);
    }
    let value = match (request.uri().authority(), header) {
        (None, None) => return Err(BAD),
        (None, Some(header)) => header.clone(),
        (Some(authority), header) => {
            let differs = header.is_some_and(|header| {
                !header
                    .as_bytes()
                    .eq_ignore_ascii_case(authority.as_str().as_bytes())
            });
            // RFC 9112 3.2.2 lets the request line win over the field; HTTP/2 has no such excuse.
            if differs && request.version() == Version::HTTP_2 {
                return Err(BAD);
            }
            HeaderValue::from_str(authority.as_str()).map_err(|_| BAD)?
        }
    };
    let text = value.to_str().map_err(|_| BAD)?;
    if host_name(text).is_some_and(|host| is_plain_host(&host)) {
        Ok(value)
    } else {
        Err(BAD)
    }
}

fn is_plain_host(host: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => literal
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)),
        None => host.bytes().all(is_name),
    }
}

/// Path and query of a request, in the form that an origin gets.
fn target(uri: &Uri) -> Result<Uri, Refusal> {
    const BAD: Refusal = refusal(StatusCode::BAD_REQUEST, "The request has no path.");
    let mut parts = http::uri::Parts::default();
    let Some(path_and_query) = uri.path_and_query() else {
        return Ok(Uri::from_static("/"));
    };
    if !path_and_query.as_str().starts_with('/') {
        // `*`, or a query without a path, which `http` writes with its slash again.
        return if path_and_query.path() == "/" {
            rooted(path_and_query.as_str())
        } else {
            Err(BAD)
        };
    }
    parts.path_and_query = Some(path_and_query.clone());
    Uri::from_parts(parts).map_err(|_| BAD)
}

fn rooted(text: &str) -> Result<Uri, Refusal> {
    const BAD: Refusal = refusal(StatusCode::BAD_REQUEST, "The request has no path.");
    format!("/{text}").parse().map_err(|_| BAD)
}

fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    headers
        .get(X_REQUEST_ID)
        .filter(|id| !id.is_empty() && id.len() <= REQUEST_ID_LIMIT_BYTES)
        .cloned()
}

fn is_upgrade(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11
        && headers.contains_key(UPGRADE)
        && headers
            .get_all(CONNECTION)
            .iter()
            .any(|value| names_token(value, "upgrade"))
}

/// Whether a comma-separated list names a token.
pub(crate) fn names_token(list: &HeaderValue, token: &str) -> bool {
    list.as_bytes()
        .split(|byte| *byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests;
