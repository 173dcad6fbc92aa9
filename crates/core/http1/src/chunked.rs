//! The chunked transfer coding (RFC 9112 7.1), read to the letter: sizes in digits only, lines that end with CR LF,
//! extensions passed over and bounded.

use bytes::{Buf as _, BytesMut};
use http::{
    HeaderMap, HeaderName,
    header::{
        AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE,
        HOST, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};

use crate::{
    body::{Piece, data},
    head::{self, EndOfHead, HEADERS_LIMIT, HeadError},
};

/// The longest line with a size, in bytes: the size, and extensions that nobody uses.
const LINE_LIMIT_BYTES: usize = 1024;

/// How many bytes of extensions a body may have in all: who sends more means to keep us busy.
const EXTENSIONS_LIMIT_BYTES: usize = 16 * 1024;

/// Fields that may not come after a body, because what they say was needed before it (RFC 9110 6.5.1).
pub(crate) const NEVER_TRAILERS: [HeaderName; 13] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    HOST,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Why a body breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Not hexadecimal digits, or too many of them.
    #[error("the size of a chunk is not a number")]
    Size,
    /// Lines too long, or too many extensions.
    #[error("the extensions of the chunks are too long")]
    Extensions,
    /// A chunk is longer than it said, or a line does not end with CR LF.
    #[error("a chunk does not end where it should")]
    End,
    /// Fields after the last chunk that are none.
    #[error("the trailers are malformed")]
    Trailers(#[source] HeadError),
}

/// Where we are in a chunked body.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    at: At,
    extensions_bytes: usize,
}

#[derive(Debug)]
enum At {
    Size { seen: usize },
    Data { left: u64 },
    DataEnd,
    Trailers(EndOfHead),
    End,
}

impl Default for At {
    fn default() -> Self {
        Self::Size { seen: 0 }
    }
}

impl Chunked {
    pub(crate) fn take(&mut self, read: &mut BytesMut) -> Result<Piece, ChunkError> {
        loop {
            match &mut self.at {
                At::Size { seen } => {
                    let Some(line) = line(read, seen)? else {
                        return Ok(Piece::Wanting);
                    };
                    let (size, extensions) = size(&read[..line])?;
                    self.extensions_bytes += extensions;
                    if self.extensions_bytes > EXTENSIONS_LIMIT_BYTES {
                        return Err(ChunkError::Extensions);
                    }
                    read.advance(line + 2);
                    self.at = if size == 0 {
                        At::Trailers(EndOfHead::default())
                    } else {
                        At::Data { left: size }
                    };
                }
                At::Data { left } => {
                    let piece = data(read, *left);
                    if let Piece::Data(data) = &piece {
                        *left -= data.len() as u64;
                        if *left == 0 {
                            self.at = At::DataEnd;
                        }
                    }
                    return Ok(piece);
                }
                At::DataEnd => {
                    if !b"\r\n".starts_with(&read[..read.len().min(2)]) {
                        return Err(ChunkError::End);
                    }
                    if read.len() < 2 {
                        return Ok(Piece::Wanting);
                    }
                    read.advance(2);
                    self.at = At::default();
                }
                At::Trailers(end) => {
                    if read.starts_with(b"\r\n") {
                        read.advance(2);
                        self.at = At::End;
                        continue;
                    }
                    let Some(length) = end.find(read).map_err(ChunkError::Trailers)? else {
                        return Ok(Piece::Wanting);
                    };
                    let trailers = trailers(read, length)?;
                    self.at = At::End;
                    if !trailers.is_empty() {
                        return Ok(Piece::Trailers(trailers));
                    }
                }
                At::End => return Ok(Piece::End),
            }
        }
    }
}

/// How long the line at the beginning is, without its CR LF.
fn line(read: &[u8], seen: &mut usize) -> Result<Option<usize>, ChunkError> {
    let Some(found) = memchr::memchr(b'\n', &read[*seen..]) else {
        *seen = read.len();
        return if read.len() > LINE_LIMIT_BYTES {
            Err(ChunkError::Extensions)
        } else {
            Ok(None)
        };
    };
    match (*seen + found).checked_sub(1) {
        Some(line) if line > LINE_LIMIT_BYTES => Err(ChunkError::Extensions),
        Some(line) if read[line] == b'\r' => Ok(Some(line)),
        _ => Err(ChunkError::End),
    }
}

/// The size that a line names, and how long its extensions are.
fn size(line: &[u8]) -> Result<(u64, usize), ChunkError> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits == 0 || digits > 16 {
        return Err(ChunkError::Size);
    }
    let extensions = &line[digits..];
    let begins = extensions.trim_ascii_start().first();
    if !extensions.is_empty() && begins != Some(&b';') {
        return Err(ChunkError::Size);
    }
    if extensions
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        return Err(ChunkError::Extensions);
    }
    let value = |byte: u8| u64::from(char::from(byte).to_digit(16).unwrap_or_default());
    let size = line[..digits]
        .iter()
        .fold(0, |size, byte| size << 4 | value(*byte));
    Ok((size, extensions.len()))
}

/// The fields after the last chunk, without those that have no business there.
fn trailers(read: &mut BytesMut, length: usize) -> Result<HeaderMap, ChunkError> {
    let text = read.split_to(length).freeze();
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_LIMIT];
    let malformed = ChunkError::Trailers(HeadError::Malformed);
    let parsed = match httparse::parse_headers(&text, &mut fields) {
        Ok(httparse::Status::Complete((_, parsed))) => parsed,
        Ok(httparse::Status::Partial) | Err(_) => return Err(malformed),
    };
    let mut trailers = head::headers(&text, parsed).map_err(ChunkError::Trailers)?;
    for name in NEVER_TRAILERS {
        trailers.remove(name);
    }
    Ok(trailers)
}

#[cfg(test)]
mod tests;
