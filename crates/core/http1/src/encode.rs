//! Heads and chunks, written. Lengths are written from what is known of the body and never copied from a field, so
//! that no message goes out with two.

use std::io::Write as _;

use bytes::{BufMut as _, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};

use crate::chunked::NEVER_TRAILERS;

/// The answer that has a client go on with its body (RFC 9110 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The end of a body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How a request's body goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFraming {
    /// There is none.
    Empty,
    /// So many bytes.
    Known(u64),
    /// In chunks.
    Chunked,
}

/// How an answer's body goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// There is none, and `Content-Length` says what there would be: answers to HEAD, and 304.
    AsTold,
    /// There is none, and no length either: 1xx and 204 (RFC 9110 8.6).
    Empty,
    /// So many bytes.
    Known(u64),
    /// In chunks.
    Chunked,
    /// Until the connection ends, for clients that know no chunks.
    UntilClose,
}

/// Writes the head of a request. `Connection` goes out as it stands among the fields.
pub fn encode_request(
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    framing: RequestFraming,
    out: &mut BytesMut,
) {
    out.reserve(target.len() + 64 + 64 * headers.len());
    out.put_slice(method.as_str().as_bytes());
    out.put_u8(b' ');
    out.put_slice(target.as_bytes());
    out.put_slice(b" HTTP/1.1\r\n");
    for (name, value) in headers {
        if *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING {
            field(name, value, out);
        }
    }
    match framing {
        // A request with a method that usually has a body says that there is none (RFC 9110 8.6).
        RequestFraming::Empty if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
            length(0, out);
        }
        RequestFraming::Empty => {}
        RequestFraming::Known(bytes) => length(bytes, out),
        RequestFraming::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
    }
    out.put_slice(b"\r\n");
}

/// Writes the head of an answer, with this value of `Connection` in place of what stands among the fields.
pub fn encode_response(
    status: StatusCode,
    headers: &HeaderMap,
    framing: ResponseFraming,
    connection: Option<&[u8]>,
    out: &mut BytesMut,
) {
    out.reserve(64 + 64 * headers.len());
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(status.as_str().as_bytes());
    out.put_u8(b' ');
    out.put_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.put_slice(b"\r\n");
    let passes_length = framing == ResponseFraming::AsTold;
    for (name, value) in headers {
        let is_framing = *name == TRANSFER_ENCODING || (*name == CONTENT_LENGTH && !passes_length);
        if !is_framing && *name != CONNECTION {
            field(name, value, out);
        }
    }
    match framing {
        ResponseFraming::AsTold | ResponseFraming::Empty | ResponseFraming::UntilClose => {}
        ResponseFraming::Known(bytes) => length(bytes, out),
        ResponseFraming::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
    }
    if let Some(connection) = connection {
        out.put_slice(b"connection: ");
        out.put_slice(connection);
        out.put_slice(b"\r\n");
    }
    out.put_slice(b"\r\n");
}

/// Writes the line before a chunk of so many bytes, which must not be none. CR LF has to follow the chunk.
pub fn chunk_size(bytes: usize, out: &mut BytesMut) {
    number(format_args!("{bytes:x}\r\n"), out);
}

/// Writes the last chunk with these fields after it, without those that have no business there, whoever sent them.
pub fn encode_trailers(trailers: &HeaderMap, out: &mut BytesMut) {
    out.put_slice(b"0\r\n");
    for (name, value) in trailers {
        if NEVER_TRAILERS.contains(name) {
            continue;
        }
        out.reserve(name.as_str().len() + value.len() + 4);
        field(name, value, out);
    }
    out.put_slice(b"\r\n");
}

fn field(name: &HeaderName, value: &HeaderValue, out: &mut BytesMut) {
    out.put_slice(name.as_str().as_bytes());
    out.put_slice(b": ");
    out.put_slice(value.as_bytes());
    out.put_slice(b"\r\n");
}

fn length(bytes: u64, out: &mut BytesMut) {
    out.put_slice(b"content-length: ");
    number(format_args!("{bytes}\r\n"), out);
}

fn number(text: std::fmt::Arguments<'_>, out: &mut BytesMut) {
    // Memory takes whatever is written.
    let _ = out.writer().write_fmt(text);
}

#[cfg(test)]
mod tests;
