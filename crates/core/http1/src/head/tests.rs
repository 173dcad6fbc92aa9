use bytes::Bytes;
use http::{Method, Version};
use proptest::{collection::vec, prelude::*};

use super::{EndOfHead, HEAD_LIMIT_BYTES, HEADERS_LIMIT, HeadError, request, response};
use crate::{FramingError, Length};

fn read(text: &str) -> Result<super::ReadRequest, HeadError> {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let end = EndOfHead::default().find(&bytes)?.expect("the head ends");
    request(&bytes.slice(..end))
}

#[test]
fn a_head_is_found_in_bytes_that_come_one_by_one() {
    let text = b"GET / HTTP/1.1\r\nhost: a\r\n\r\nrest";
    let mut end = EndOfHead::default();
    for length in 0..text.len() - 4 {
        assert_eq!(end.find(&text[..length]), Ok(None), "{length}");
    }
    assert_eq!(end.find(text), Ok(Some(text.len() - 4)));
}

/// The end, looked for line by line.
fn end_by_lines(text: &[u8]) -> Result<Option<usize>, HeadError> {
    let mut end = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        match line {
            [.., b'\r', b'\n'] if text[..end].ends_with(b"\r\n\r\n") => return Ok(Some(end)),
            [.., b'\r', b'\n'] => {}
            [.., b'\n'] => return Err(HeadError::BareLineFeed),
            _ => break,
        }
    }
    Ok(None)
}

proptest! {
    #[test]
    fn a_head_ends_where_its_lines_say_however_it_comes(
        parts in vec(vec(prop_oneof![Just("a"), Just("\r"), Just("\n"), Just("\r\n")], 0..60), 1..6)
    ) {
        let (mut end, mut text) = (EndOfHead::default(), Vec::new());
        for part in parts {
            text.extend_from_slice(part.concat().as_bytes());
            let found = end.find(&text);
            prop_assert_eq!(found, end_by_lines(&text));
            if found != Ok(None) {
                break;
            }
        }
    }
}

#[test]
fn a_head_that_does_not_end_is_given_up() {
    let endless = vec![b'a'; HEAD_LIMIT_BYTES + 1];
    assert_eq!(EndOfHead::default().find(&endless), Err(HeadError::TooLong));
    let lines = b"a: b\r\n".repeat(HEAD_LIMIT_BYTES / 6 + 1);
    assert_eq!(EndOfHead::default().find(&lines), Err(HeadError::TooLong));
    let fields = "a: b\r\n".repeat(HEADERS_LIMIT + 1);
    let many = read(&format!("GET / HTTP/1.1\r\n{fields}\r\n")).map(|read| read.length);
    assert_eq!(many, Err(HeadError::TooLong));
}

#[test]
fn targets_and_fields_are_those_that_were_sent() {
    for target in ["/", "//a//b", "/a%20b?c=d&e", "/?", "http://a.test/x?y", "*"] {
        let read = read(&format!(
            "GET {target} HTTP/1.1\r\nHost: A\r\nX-Empty:\r\nx-b:  b c \r\n\r\n"
        ))
        .unwrap();
        assert_eq!(read.request.uri().to_string(), target);
        let headers = read.request.headers();
        assert_eq!(
            (&headers["host"], &headers["x-empty"], &headers["x-b"]),
            (
                &"A".parse().unwrap(),
                &"".parse().unwrap(),
                &"b c".parse().unwrap()
            )
        );
        assert_eq!(read.request.version(), Version::HTTP_11);
    }
}

/// RFC 9112 2 to 6, and the ways of smuggling that are known.
#[test]
fn lines_that_two_servers_could_read_differently_are_refused() {
    use HeadError::{BareLineFeed, Malformed, Version as Other};
    for (head, error) in [
        // Lines.
        ("GET / HTTP/1.1\nhost: a\r\n\r\n", Some(BareLineFeed)),
        ("GET / HTTP/1.1\r\nhost: a\n\r\n", Some(BareLineFeed)),
        ("GET / HTTP/1.1\r\nhost: a\r\n\n", Some(BareLineFeed)),
        ("GET / HTTP/1.1\r\nhost: a\rb: c\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\nhost: a\r\n b: folded\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\n host: a\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\nhost: a\r\nnothing\r\n\r\n", Some(Malformed)),
        // Names.
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", Some(Malformed)),
        (
            "GET / HTTP/1.1\r\ncontent-length\u{b}: 1\r\n\r\n",
            Some(Malformed),
        ),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\nhöst: a\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\n(host): a\r\n\r\n", Some(Malformed)),
        // The first line.
        ("GET  / HTTP/1.1\r\n\r\n", Some(Malformed)),
        ("GET / x HTTP/1.1\r\n\r\n", Some(Malformed)),
        ("GET / http/1.1\r\n\r\n", Some(Malformed)),
        ("GET a HTTP/1.1\r\n\r\n", Some(Malformed)),
        ("GET a.test:80 HTTP/1.1\r\n\r\n", Some(Malformed)),
        ("CONNECT a.test:80 HTTP/1.1\r\n\r\n", None),
        ("GET /a#b HTTP/1.1\r\n\r\n", Some(Malformed)),
        ("GET http://a.test/#b HTTP/1.1\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1 \r\n\r\n", Some(Malformed)),
        ("GET /\r\n\r\n", Some(Malformed)),
        ("G(T / HTTP/1.1\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/2.0\r\n\r\n", Some(Other)),
        ("GET / HTTP/1.2\r\n\r\n", Some(Other)),
        ("GET / HTTP/01.1\r\n\r\n", Some(Malformed)),
        ("PRI * HTTP/2.0\r\n\r\n", Some(Other)),
    ] {
        assert_eq!(read(head).map(|read| read.length).err(), error, "{head:?}");
    }
}

/// RFC 9112 6.
#[test]
fn lengths_that_two_servers_could_read_differently_are_refused() {
    let framing = |error| Some(HeadError::Framing(error));
    for (head, error) in [
        (
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
            framing(FramingError::ContentLength),
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: 1\r\nContent-Length: 2\r\n\r\n",
            framing(FramingError::ContentLength),
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\n",
            framing(FramingError::ContentLength),
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\n",
            framing(FramingError::ContentLength),
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
            framing(FramingError::ContentLength),
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: 0x1\r\n\r\n",
            framing(FramingError::ContentLength),
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: 1 1\r\n\r\n",
            framing(FramingError::ContentLength),
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length:\r\n\r\n",
            framing(FramingError::ContentLength),
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\n",
            framing(FramingError::ContentLength),
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            framing(FramingError::Both),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n",
            framing(FramingError::Both),
        ),
        (
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
            framing(FramingError::OldVersion),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            framing(FramingError::Coding),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked, chunked\r\n\r\n",
            framing(FramingError::Coding),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
            framing(FramingError::TransferEncoding),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked,\r\n\r\n",
            framing(FramingError::TransferEncoding),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n",
            framing(FramingError::TransferEncoding),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: \"chunked\"\r\n\r\n",
            framing(FramingError::TransferEncoding),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: identity\r\n\r\n",
            framing(FramingError::TransferEncoding),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding:\r\n\r\n",
            framing(FramingError::TransferEncoding),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            framing(FramingError::TransferEncoding),
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n",
            framing(FramingError::TransferEncoding),
        ),
        ("POST / HTTP/1.1\r\ntransfer_encoding: chunked\r\n\r\n", None),
        ("POST / HTTP/1.1\r\ntransfer-encoding: CHUNKED\r\n\r\n", None),
        ("POST / HTTP/1.1\r\ncontent-length: 007\r\n\r\n", None),
    ] {
        assert_eq!(read(head).map(|read| read.length).err(), error, "{head:?}");
    }
}

#[test]
fn a_request_says_how_much_follows_and_whether_another_one_may() {
    for (head, length, keeps_alive) in [
        ("GET / HTTP/1.1\r\n\r\n", Length::Empty, true),
        (
            "GET / HTTP/1.1\r\nconnection: x, Close\r\n\r\n",
            Length::Empty,
            false,
        ),
        ("GET / HTTP/1.0\r\n\r\n", Length::Empty, false),
        (
            "GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n",
            Length::Empty,
            true,
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\n",
            Length::Known(10),
            true,
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            Length::Chunked,
            true,
        ),
    ] {
        let read = read(head).unwrap();
        assert_eq!((read.length, read.keeps_alive), (length, keeps_alive), "{head:?}");
    }
}

#[test]
fn an_answer_says_how_much_follows_and_whether_another_one_may() {
    let (get, head) = (Method::GET, Method::HEAD);
    for (method, text, expected) in [
        (&get, "HTTP/1.1 200 OK\r\n\r\n", Some((Length::UntilClose, false))),
        (
            &get,
            "HTTP/1.1 200\r\ncontent-length: 3\r\n\r\n",
            Some((Length::Known(3), true)),
        ),
        (
            &get,
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n",
            Some((Length::Known(3), true)),
        ),
        (
            &get,
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n",
            None,
        ),
        (
            &get,
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n",
            Some((Length::Known(3), false)),
        ),
        (
            &get,
            "HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n",
            Some((Length::Known(3), false)),
        ),
        (
            &get,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            Some((Length::Chunked, true)),
        ),
        (
            &get,
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            Some((Length::Chunked, false)),
        ),
        (
            &get,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
            Some((Length::Chunked, false)),
        ),
        (
            &get,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            None,
        ),
        (
            &head,
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",
            Some((Length::Empty, true)),
        ),
        (
            &head,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            Some((Length::Empty, true)),
        ),
        (
            &get,
            "HTTP/1.1 204 No Content\r\n\r\n",
            Some((Length::Empty, true)),
        ),
        (
            &get,
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n",
            Some((Length::Empty, true)),
        ),
        (
            &get,
            "HTTP/1.1 103 Early Hints\r\n\r\n",
            Some((Length::Empty, true)),
        ),
        (&get, "HTTP/1.1 99 What\r\n\r\n", None),
        (&get, "HTTP/2 200 OK\r\n\r\n", None),
        (&get, "nonsense\r\n\r\n", None),
    ] {
        let read = response(method, &Bytes::from_static(text.as_bytes()));
        assert_eq!(
            read.ok().map(|read| (read.length, read.keeps_alive)),
            expected,
            "{text:?}"
        );
    }
}
