use bytes::BytesMut;
use http::HeaderMap;
use proptest::{collection::vec, prelude::*};

use super::ChunkError;
use crate::{Body, LAST_CHUNK, Length, Piece, chunk_size, encode_trailers};

/// Everything that a body says, with bytes coming in parts of these lengths, over and over.
fn read(text: &[u8], parts: &[usize]) -> Result<(Vec<u8>, HeaderMap, Vec<u8>), ChunkError> {
    let mut body = Body::new(Length::Chunked);
    let (mut read, mut text, mut parts) = (BytesMut::new(), text, parts.iter().cycle());
    let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
    loop {
        match body.take(&mut read)? {
            Piece::Data(some) => data.extend_from_slice(&some),
            Piece::Trailers(some) => trailers = some,
            Piece::End => break,
            Piece::Wanting => {
                assert!(!text.is_empty(), "the body does not end after {data:?}");
                let (part, rest) = text.split_at(text.len().min(*parts.next().unwrap()));
                read.extend_from_slice(part);
                text = rest;
            }
        }
    }
    assert!(body.has_ended());
    Ok((data, trailers, [&read, text].concat()))
}

#[test]
fn chunks_extensions_and_trailers_are_read() {
    let text = b"4\r\nwiki\r\n00A ; name=\"value\"\r\npedia\r\nin \r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\nnext";
    for parts in [&[usize::MAX][..], &[1], &[3, 1]] {
        let (data, trailers, rest) = read(text, parts).unwrap();
        assert_eq!(data, b"wikipedia\r\nin ");
        assert_eq!((trailers.len(), &trailers["x-sum"]), (1, &"7".parse().unwrap()));
        assert_eq!(rest, b"next");
    }
}

/// RFC 9112 7.1, and the ways of smuggling that are known.
#[test]
fn chunks_that_two_servers_could_read_differently_break_the_body() {
    for (text, error) in [
        (&b"\r\n"[..], ChunkError::Size),
        (b"g\r\n", ChunkError::Size),
        (b"-1\r\n", ChunkError::Size),
        (b"+1\r\n", ChunkError::Size),
        (b"0x1\r\n", ChunkError::Size),
        (b" 1\r\n", ChunkError::Size),
        (b"1 \r\na\r\n0\r\n\r\n", ChunkError::Size),
        (b"1 a\r\n", ChunkError::Size),
        (b"10000000000000000\r\n", ChunkError::Size),
        (b"00000000000000001\r\na", ChunkError::Size),
        (b"1\na\r\n0\r\n\r\n", ChunkError::End),
        (b"1\ra\r\n", ChunkError::Size),
        (b"1;a\nb\r\n", ChunkError::End),
        (b"1;a\rb\r\n", ChunkError::Extensions),
        (b"1;\0\r\n", ChunkError::Extensions),
        (b"1\r\nab\r\n", ChunkError::End),
        (b"1\r\na\n0\r\n\r\n", ChunkError::End),
        (b"1\r\na\r0", ChunkError::End),
    ] {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(read(text, &[usize::MAX]), Err(error), "{shown:?}");
        assert_eq!(read(text, &[1]), Err(error), "{shown:?} byte by byte");
    }
    for text in [&b"0\r\nx\r\n\r\n"[..], b"0\r\nx: 1\n\r\n", b"0\r\nx : 1\r\n\r\n"] {
        assert!(matches!(read(text, &[1]), Err(ChunkError::Trailers(_))));
    }
}

#[test]
fn extensions_are_bounded_in_a_line_and_in_all() {
    let long = [b"1;".as_slice(), &b"x".repeat(2000)].concat();
    assert_eq!(read(&long, &[1]), Err(ChunkError::Extensions));
    let many = [b"1;".as_slice(), &b"x".repeat(1000), b"\r\na\r\n"]
        .concat()
        .repeat(20);
    assert_eq!(read(&many, &[usize::MAX]), Err(ChunkError::Extensions));
}

proptest! {
    #[test]
    fn what_is_written_is_read_however_it_comes(
        chunks in vec(vec(any::<u8>(), 1..40), 0..6),
        parts in vec(1_usize..20, 1..5),
        with_trailers in any::<bool>(),
    ) {
        let mut text = BytesMut::new();
        for chunk in &chunks {
            chunk_size(chunk.len(), &mut text);
            text.extend_from_slice(chunk);
            text.extend_from_slice(b"\r\n");
        }
        let mut trailers = HeaderMap::new();
        if with_trailers {
            trailers.insert("x-sum", "7".parse().unwrap());
            encode_trailers(&trailers, &mut text);
        } else {
            text.extend_from_slice(LAST_CHUNK);
        }
        text.extend_from_slice(b"GET");
        prop_assert_eq!(read(&text, &parts), Ok((chunks.concat(), trailers, b"GET".to_vec())));
    }
}
