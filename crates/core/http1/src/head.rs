//! The head of a message: found in a stream of bytes, then read.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::CONNECTION, uri::PathAndQuery,
};

use crate::framing::{FramingError, Length, request_length, response_length};

/// The longest head, in bytes: as much as nginx takes with its defaults (`large_client_header_buffers`), twice.
pub const HEAD_LIMIT_BYTES: usize = 64 * 1024;

/// The most fields of a head. Browsers send some twenty.
pub const HEADERS_LIMIT: usize = 128;

/// Why a head cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Longer than [`HEAD_LIMIT_BYTES`], or more than [`HEADERS_LIMIT`] fields.
    #[error("the head of the message is too long")]
    TooLong,
    /// A line ends with LF alone. RFC 9112 2.2 lets servers read it, and those that do not see other lines than they do.
    #[error("a line of the head does not end with CR LF")]
    BareLineFeed,
    /// Not the grammar of RFC 9112.
    #[error("the head is not HTTP/1.1")]
    Malformed,
    /// HTTP/0.9, HTTP/2.0 and so on.
    #[error("the message is of another version than HTTP/1")]
    Version,
    /// Its length is not certain.
    #[error(transparent)]
    Framing(#[from] FramingError),
}

/// Looks for the end of a head in bytes that come bit by bit; none is looked at twice.
#[derive(Debug, Default)]
pub struct EndOfHead {
    seen: usize,
    /// Where the next line begins.
    line: usize,
}

impl EndOfHead {
    /// How long the head at the beginning of these bytes is, with its empty line; `None` while it has not ended. The
    /// bytes must be those of the last call, and more.
    ///
    /// # Errors
    /// When it is too long, or a line of it ends with LF alone.
    pub fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        let mut end = None;
        for found in memchr::memchr_iter(b'\n', bytes.get(self.seen..).unwrap_or_default()) {
            let next = self.seen + found + 1;
            let line = &bytes[self.line..next];
            if !line.ends_with(b"\r\n") {
                return Err(HeadError::BareLineFeed);
            }
            let is_first = self.line == 0;
            self.line = next;
            // What has no line before it ends none.
            if line.len() == 2 && !is_first {
                end = Some(next);
                break;
            }
        }
        self.seen = end.unwrap_or(bytes.len());
        if self.seen > HEAD_LIMIT_BYTES {
            return Err(HeadError::TooLong);
        }
        Ok(end)
    }
}

/// A request's head.
#[derive(Debug)]
pub struct ReadRequest {
    /// Method, target, version and fields.
    pub request: Request<()>,
    /// How much body follows.
    pub length: Length,
    /// Whether the client means to send another request over this connection.
    pub keeps_alive: bool,
}

/// An answer's head.
#[derive(Debug)]
pub struct ReadResponse {
    /// Status, version and fields.
    pub response: Response<()>,
    /// How much body follows.
    pub length: Length,
    /// Whether the server takes another request over this connection.
    pub keeps_alive: bool,
}

/// Reads the head of a request, whole and without what comes after it.
///
/// # Errors
/// When it is not one, or two servers could see different bodies after it.
pub fn request(head: &Bytes) -> Result<ReadRequest, HeadError> {
    let mut fields = [const { MaybeUninit::uninit() }; HEADERS_LIMIT];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, &mut fields) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(HeadError::Malformed),
        Err(httparse::Error::Version) => return Err(no_version(head)),
        Err(error) => return Err(head_error(error)),
    }
    let version = version(parsed.version)?;
    let headers = headers(head, parsed.headers)?;
    let length = request_length(version, &headers)?;
    let keeps_alive = keeps_alive(version, &headers);
    let mut request = Request::new(());
    *request.method_mut() =
        Method::from_bytes(parsed.method.unwrap_or_default().as_bytes()).map_err(|_| HeadError::Malformed)?;
    *request.uri_mut() = target(head, request.method(), parsed.path.unwrap_or_default())?;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    Ok(ReadRequest {
        request,
        length,
        keeps_alive,
    })
}

/// Reads the head of the answer to a request with this method, whole and without what comes after it.
///
/// # Errors
/// When it is not one, or the length of what follows is not certain.
pub fn response(method: &Method, head: &Bytes) -> Result<ReadResponse, HeadError> {
    let mut fields = [const { MaybeUninit::uninit() }; HEADERS_LIMIT];
    let mut parsed = httparse::Response::new(&mut []);
    match httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, head, &mut fields)
    {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(HeadError::Malformed),
        Err(error) => return Err(head_error(error)),
    }
    let version = version(parsed.version)?;
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|_| HeadError::Malformed)?;
    let headers = headers(head, parsed.headers)?;
    let (length, is_certain) = response_length(method, status, version, &headers)?;
    let keeps_alive = is_certain && keeps_alive(version, &headers);
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = version;
    *response.headers_mut() = headers;
    Ok(ReadResponse {
        response,
        length,
        keeps_alive,
    })
}

fn head_error(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::TooManyHeaders => HeadError::TooLong,
        httparse::Error::Version => HeadError::Version,
        _ => HeadError::Malformed,
    }
}

fn version(minor: Option<u8>) -> Result<Version, HeadError> {
    match minor {
        Some(0) => Ok(Version::HTTP_10),
        Some(1) => Ok(Version::HTTP_11),
        _ => Err(HeadError::Version),
    }
}

/// Why the version of a request's first line cannot be read: it is another one, or what stands there is none.
fn no_version(head: &Bytes) -> HeadError {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    match (words.next(), words.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            HeadError::Version
        }
        _ => HeadError::Malformed,
    }
}

/// The target in the form in which it came: a path, a whole URL, an authority (`CONNECT` alone) or `*` (RFC 9112 3.2).
/// What follows a `#` never leaves a client (RFC 9110 7.1), and would be lost here.
fn target(head: &Bytes, method: &Method, text: &str) -> Result<Uri, HeadError> {
    if text.contains('#') {
        return Err(HeadError::Malformed);
    }
    let bytes = head.slice_ref(text.as_bytes());
    if !text.starts_with('/') {
        let uri = Uri::from_maybe_shared(bytes).map_err(|_| HeadError::Malformed)?;
        let is_authority = uri.scheme().is_none() && uri.authority().is_some();
        return if is_authority && *method != Method::CONNECT {
            Err(HeadError::Malformed)
        } else {
            Ok(uri)
        };
    }
    // Two slashes begin a path as good as one; as a URL they would begin an authority.
    PathAndQuery::from_maybe_shared(bytes)
        .map(Uri::from)
        .map_err(|_| HeadError::Malformed)
}

/// The fields, their values being parts of the head, which they keep.
pub(crate) fn headers(head: &Bytes, fields: &[httparse::Header<'_>]) -> Result<HeaderMap, HeadError> {
    let mut headers = HeaderMap::with_capacity(fields.len() + 12);
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| HeadError::Malformed)?;
        let value =
            HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| HeadError::Malformed)?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// RFC 9112 9.3.
fn keeps_alive(version: Version, headers: &HeaderMap) -> bool {
    let says = |token: &[u8]| {
        headers.get_all(CONNECTION).iter().any(|list| {
            let mut items = list.as_bytes().split(|byte| *byte == b',');
            items.any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
        })
    };
    if version == Version::HTTP_11 {
        !says(b"close")
    } else {
        says(b"keep-alive") && !says(b"close")
    }
}

#[cfg(test)]
mod tests;
