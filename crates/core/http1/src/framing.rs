//! How long a body is (RFC 9112 6.3), decided in one place for requests and for answers.

use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

/// How much body a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// None, whatever the fields say: answers to HEAD, 204, 304, requests that name no length.
    Empty,
    /// So many bytes.
    Known(u64),
    /// Chunks until the last one.
    Chunked,
    /// Whatever comes until the connection ends; answers only.
    UntilClose,
}

/// Why nobody can be certain where a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Not a number, several numbers, or a list of them.
    #[error("Content-Length is not one number")]
    ContentLength,
    /// Several fields, or `chunked` is not the last coding.
    #[error("Transfer-Encoding does not end with chunked")]
    TransferEncoding,
    /// A coding besides `chunked`, which we do not undo.
    #[error("Transfer-Encoding names a coding other than chunked")]
    Coding,
    /// Both lengths: the classic way to smuggle a request.
    #[error("both Content-Length and Transfer-Encoding are there")]
    Both,
    /// HTTP/1.0 knows no chunks.
    #[error("Transfer-Encoding is there in a request of HTTP/1.0")]
    OldVersion,
}

/// The length of a request's body. RFC 9112 6.1 lets a server refuse what is ambiguous, and we do.
pub(crate) fn request_length(version: Version, headers: &HeaderMap) -> Result<Length, FramingError> {
    let length = content_length(headers, Repeated::Refused)?;
    if !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(length.map_or(Length::Empty, Length::Known));
    }
    if version != Version::HTTP_11 {
        return Err(FramingError::OldVersion);
    }
    if headers.contains_key(CONTENT_LENGTH) {
        return Err(FramingError::Both);
    }
    only_chunked(headers)?;
    Ok(Length::Chunked)
}

/// The length of an answer's body, and whether it is certain enough for another answer to be read after it.
pub(crate) fn response_length(
    method: &Method,
    status: StatusCode,
    version: Version,
    headers: &HeaderMap,
) -> Result<(Length, bool), FramingError> {
    let length = content_length(headers, Repeated::WhereEqual)?;
    let is_bodiless = status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || *method == Method::HEAD;
    if is_bodiless {
        return Ok((Length::Empty, true));
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        only_chunked(headers)?;
        let is_certain = version == Version::HTTP_11 && length.is_none();
        return Ok((Length::Chunked, is_certain));
    }
    Ok(match length {
        Some(length) => (Length::Known(length), true),
        None => (Length::UntilClose, false),
    })
}

/// What to do with a second `Content-Length`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeated {
    Refused,
    WhereEqual,
}

fn content_length(headers: &HeaderMap, repeated: Repeated) -> Result<Option<u64>, FramingError> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|value| repeated == Repeated::Refused || value != first) {
        return Err(FramingError::ContentLength);
    }
    digits(first).map(Some).ok_or(FramingError::ContentLength)
}

/// Digits and nothing else: `+1`, `0x1`, `1, 1` and the empty value are what some servers read as a number.
fn digits(value: &HeaderValue) -> Option<u64> {
    let bytes = value.as_bytes();
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |byte: u8| u64::from(byte - b'0');
    bytes.iter().try_fold(0_u64, |number, byte| {
        number.checked_mul(10)?.checked_add(digit(*byte))
    })
}

fn only_chunked(headers: &HeaderMap) -> Result<(), FramingError> {
    let mut values = headers.get_all(TRANSFER_ENCODING).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(FramingError::TransferEncoding);
    };
    let mut codings = value
        .as_bytes()
        .rsplit(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii);
    let is_last = codings
        .next()
        .is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    match (is_last, codings.next()) {
        (false, _) => Err(FramingError::TransferEncoding),
        (true, Some(_)) => Err(FramingError::Coding),
        (true, None) => Ok(()),
    }
}
