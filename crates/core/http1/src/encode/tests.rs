use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode};

use super::{RequestFraming, ResponseFraming, encode_request, encode_response};

/// Fields that say other lengths than the truth, as a tool or a visitor might have them.
fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-length", "99"),
        ("transfer-encoding", "gzip"),
        ("x-a", "1"),
        ("x-a", "2"),
    ] {
        headers.append(name, value.parse().unwrap());
    }
    headers
}

#[test]
fn a_request_goes_out_with_the_length_that_its_body_has() {
    for (method, framing, line) in [
        (Method::GET, RequestFraming::Empty, ""),
        (Method::POST, RequestFraming::Empty, "content-length: 0\r\n"),
        (Method::POST, RequestFraming::Known(5), "content-length: 5\r\n"),
        (
            Method::GET,
            RequestFraming::Chunked,
            "transfer-encoding: chunked\r\n",
        ),
    ] {
        let mut out = BytesMut::new();
        encode_request(&method, "/a?b", &headers(), framing, &mut out);
        assert_eq!(
            out,
            format!("{method} /a?b HTTP/1.1\r\nx-a: 1\r\nx-a: 2\r\n{line}\r\n")
        );
    }
}

#[test]
fn an_answer_goes_out_with_the_length_that_its_body_has() {
    for (framing, connection, lines) in [
        (
            ResponseFraming::AsTold,
            None,
            "content-length: 99\r\nx-a: 1\r\nx-a: 2\r\n",
        ),
        (ResponseFraming::Empty, None, "x-a: 1\r\nx-a: 2\r\n"),
        (
            ResponseFraming::Known(7),
            Some(&b"close"[..]),
            "x-a: 1\r\nx-a: 2\r\ncontent-length: 7\r\nconnection: close\r\n",
        ),
        (
            ResponseFraming::Chunked,
            None,
            "x-a: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\n",
        ),
        (
            ResponseFraming::UntilClose,
            Some(b"close"),
            "x-a: 1\r\nx-a: 2\r\nconnection: close\r\n",
        ),
    ] {
        let mut out = BytesMut::new();
        encode_response(StatusCode::OK, &headers(), framing, connection, &mut out);
        assert_eq!(out, format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
    }
}
