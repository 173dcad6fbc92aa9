//! The records of `FastCGI` 1.0, as a web server writes and reads them. Pure.
//!
//! The crate that there is sends a whole request before it reads, which hangs with a script that answers first.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The version of the protocol, and of each record.
const VERSION: u8 = 1;
/// One request at a time is on a connection, always under this number.
const REQUEST: u16 = 1;
/// What a record begins with.
const HEAD_BYTES: usize = 8;
/// What fits into a record.
pub(super) const CONTENT_BYTES: usize = 65_535;
/// The role of who answers (`FastCGI` 1.0 section 5.1).
const RESPONDER: u16 = 1;

/// The kinds of records that a web server writes (section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Params = 4,
    Stdin = 5,
}

/// What an application sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// A piece of the answer; none of it is the end of it.
    Stdout(Bytes),
    /// Something for the log.
    Stderr(Bytes),
    /// The request is over; false where it was not even begun.
    End { accepted: bool },
    /// Nothing that concerns us.
    Other,
}

/// What came is not `FastCGI`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("version {0} of FastCGI, which is not known")]
    Version(u8),
    #[error("an answer to request {0}, which was not sent")]
    Request(u16),
    #[error("the end of a request without its reason")]
    End,
}

/// Begins a request, after which the connection is closed.
pub(super) fn begin(into: &mut BytesMut) {
    head(into, 1, 8);
    into.put_u16(RESPONDER);
    into.put_bytes(0, 6);
}

/// A piece of a stream, at most [`CONTENT_BYTES`]; none ends the stream.
pub(super) fn piece(into: &mut BytesMut, stream: Stream, content: &[u8]) {
    let length = u16::try_from(content.len()).expect("pieces are cut to what fits into a record");
    head(into, stream as u8, length);
    into.put_slice(content);
}

/// All of the parameters, and their end.
pub(super) fn params<'a>(into: &mut BytesMut, pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
    let mut text = BytesMut::new();
    for (name, value) in pairs {
        length(&mut text, name.len());
        length(&mut text, value.len());
        text.put_slice(name.as_bytes());
        text.put_slice(value);
    }
    for part in text.chunks(CONTENT_BYTES) {
        piece(into, Stream::Params, part);
    }
    piece(into, Stream::Params, &[]);
}

/// Takes the next record, once all of it is there.
pub(super) fn next(from: &mut BytesMut) -> Result<Option<Record>, RecordError> {
    let Some(head) = from.get(..HEAD_BYTES) else {
        return Ok(None);
    };
    let (version, kind) = (head[0], head[1]);
    let request = u16::from_be_bytes([head[2], head[3]]);
    let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
    let padding = usize::from(head[6]);
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    if from.len() < HEAD_BYTES + length + padding {
        return Ok(None);
    }
    from.advance(HEAD_BYTES);
    let content = from.split_to(length).freeze();
    from.advance(padding);
    // Records of number 0 are about the connection.
    if request == 0 {
        return Ok(Some(Record::Other));
    }
    if request != REQUEST {
        return Err(RecordError::Request(request));
    }
    Ok(Some(match kind {
        3 => Record::End {
            accepted: *content.get(4).ok_or(RecordError::End)? == 0,
        },
        6 => Record::Stdout(content),
        7 => Record::Stderr(content),
        _ => Record::Other,
    }))
}

fn head(into: &mut BytesMut, kind: u8, length: u16) {
    into.put_u8(VERSION);
    into.put_u8(kind);
    into.put_u16(REQUEST);
    into.put_u16(length);
    into.put_u16(0);
}

/// A length takes a byte, or four with the first bit set (section 3.4).
fn length(into: &mut BytesMut, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => into.put_u8(short),
        _ => into.put_u32(u32::try_from(length).unwrap_or(u32::MAX) | 0x8000_0000),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, request: u16, content: &[u8], padding: u8) -> Vec<u8> {
        let mut bytes = vec![1, kind];
        bytes.extend(request.to_be_bytes());
        bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend([padding, 0]);
        bytes.extend(content);
        bytes.extend(vec![0; usize::from(padding)]);
        bytes
    }

    #[test]
    fn parameters_are_written_as_the_specification_has_them() {
        let mut bytes = BytesMut::new();
        let long = "x".repeat(200);
        params(&mut bytes, [("A", &b"bc"[..]), ("LONG", long.as_bytes())]);
        assert_eq!(
            &bytes[..8],
            [1, 4, 0, 1, 0, u8::try_from(5 + 5 + 204).unwrap(), 0, 0]
        );
        assert_eq!(&bytes[8..13], [1, 2, b'A', b'b', b'c']);
        assert_eq!(&bytes[13..18], [4, 0x80, 0, 0, 200]);
        assert!(bytes.ends_with(&[1, 4, 0, 1, 0, 0, 0, 0]));
    }

    #[test]
    fn what_is_no_fastcgi_is_refused() {
        for (bytes, error) in [
            (b"HTTP/1.1 200 OK".to_vec(), RecordError::Version(b'H')),
            (record(6, 2, b"x", 0), RecordError::Request(2)),
            (record(3, 1, b"1234", 0), RecordError::End),
        ] {
            assert_eq!(next(&mut BytesMut::from(&bytes[..])), Err(error));
        }
    }

    proptest! {
        #[test]
        fn records_come_out_as_they_went_in_however_they_are_cut(
            contents in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..300), any::<u8>()), 0..8),
            cut in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            for (is_error, content, padding) in &contents {
                bytes.extend(record(if *is_error { 7 } else { 6 }, 1, content, *padding));
                let content = Bytes::copy_from_slice(content);
                expected.push(if *is_error { Record::Stderr(content) } else { Record::Stdout(content) });
            }
            bytes.extend(record(3, 1, &[0; 8], 0));
            expected.push(Record::End { accepted: true });
            let (mut from, mut found) = (BytesMut::new(), Vec::new());
            for piece in bytes.chunks(cut) {
                from.extend_from_slice(piece);
                while let Some(record) = next(&mut from).unwrap() {
                    found.push(record);
                }
            }
            prop_assert_eq!(found, expected);
            prop_assert!(from.is_empty());
        }

        #[test]
        fn anything_is_read_without_a_fall(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut from = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = next(&mut from) {}
        }

        #[test]
        fn a_valid_version_does_not_make_anything_valid(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut from = BytesMut::from(&[1][..]);
            from.extend_from_slice(&bytes);
            while let Ok(Some(_)) = next(&mut from) {}
        }
    }
}
