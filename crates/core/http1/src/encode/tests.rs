use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::{RequestFraming, ResponseFraming, encode_request, encode_response, encode_trailers};

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

#[test]
fn trailers_are_written_without_those_that_have_no_business_there() {
    let mut trailers = HeaderMap::new();
    for (name, value) in [
        ("x-sum", "7"),
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("host", "evil.test"),
        ("grpc-status", "0"),
    ] {
        trailers.insert(name, HeaderValue::from_static(value));
    }
    let mut out = BytesMut::new();
    encode_trailers(&trailers, &mut out);
    assert_eq!(out, "0\r\nx-sum: 7\r\ngrpc-status: 0\r\n\r\n");
}
