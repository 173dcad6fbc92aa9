//! The head of an HTTP/1.1 answer, and where its body ends: as much of the protocol as a benchmark meets. Pure.

use anyhow::{Context as _, bail};
use memchr::memmem::find;

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// It has so many bytes.
    Bytes(usize),
    /// It comes in chunks, each with its own length.
    Chunks,
}

/// What the head of an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) length: Length,
    /// Bytes of the head, the empty line included.
    pub(crate) size: usize,
}

impl Head {
    /// Reads a head; `None` while not all of it is there.
    pub(crate) fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = find(bytes, b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[..end]).context("the head of an answer is not text")?;
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .with_context(|| format!("not an answer: {first}"))?;
        let mut length = None;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(Length::Bytes(value.trim().parse()?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") && value.trim() == "chunked" {
                length = Some(Length::Chunks);
            }
        }
        Ok(Some(Self {
            status,
            length: length.context("an answer does not say where it ends")?,
            size: end + 4,
        }))
    }

    /// Whether the request was granted.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The bytes of the chunk that begins here, and where its size line ends; `None` while that is not there.
pub(crate) fn chunk(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(end) = find(bytes, b"\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end])?;
    let digits = text.split(';').next().unwrap_or_default().trim();
    match usize::from_str_radix(digits, 16) {
        Ok(size) => Ok(Some((size, end + 2))),
        Err(_) => bail!("not the size of a chunk: {text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_heads() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Type: x\r\ncontent-length: 17\r\n\r\n{";
        let head = Head::read(text).unwrap().unwrap();
        assert_eq!((head.status, head.length), (201, Length::Bytes(17)));
        assert_eq!(&text[head.size..], b"{");
        assert_eq!(Head::read(&text[..40]).unwrap(), None);
        let text = b"HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n";
        let head = Head::read(text).unwrap().unwrap();
        assert_eq!((head.is_success(), head.length), (false, Length::Chunks));
        assert!(Head::read(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n").is_err());
        assert!(Head::read(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn reads_the_sizes_of_chunks() {
        assert_eq!(chunk(b"1a;x=y\r\nabc").unwrap(), Some((26, 8)));
        assert_eq!(chunk(b"0\r\n").unwrap(), Some((0, 3)));
        assert_eq!(chunk(b"1a").unwrap(), None);
        assert!(chunk(b"\r\n").is_err());
    }
}
