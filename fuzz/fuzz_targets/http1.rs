//! Bytes as a visitor's request and as a tool's answer. What is read is written again and read once more, and must be the
//! same; a body must not depend on how its bytes were cut.
#![no_main]

use bytes::{Bytes, BytesMut};
use http::Method;
use libfuzzer_sys::fuzz_target;
use toolforge_http1::{
    Body, EndOfHead, HEAD_LIMIT_BYTES, HEADERS_LIMIT, Length, Piece, RequestFraming, ResponseFraming, encode_request, encode_response, request, response,
};

fuzz_target!(|data: &[u8]| {
    let [cut, text @ ..] = data else { return };
    let mut end = EndOfHead::default();
    let first = &text[..text.len().min(usize::from(*cut))];
    let found = end.find(first).and_then(|found| found.map_or_else(|| end.find(text), |length| Ok(Some(length))));
    assert_eq!(found, EndOfHead::default().find(text), "the end depends on how the bytes were cut");
    let Ok(Some(length)) = found else { return };
    let (head, rest) = text.split_at(length);
    // What is written says its length as well, which may be one field too many.
    if head.len() > HEAD_LIMIT_BYTES - 64 || lines(head) > HEADERS_LIMIT - 2 {
        return;
    }
    let head = Bytes::copy_from_slice(head);
    if let Ok(read) = request(&head) {
        once_more(&read);
        body(read.length, rest, usize::from(*cut));
    }
    for method in [Method::GET, Method::HEAD] {
        if let Ok(read) = response(&method, &head) {
            let mut out = BytesMut::new();
            let headers = read.response.headers();
            encode_response(read.response.status(), headers, ResponseFraming::Known(0), None, &mut out);
            let again = response(&method, &whole(out)).expect("what we write can be read");
            assert_eq!(again.response.status(), read.response.status());
            body(read.length, rest, usize::from(*cut));
        }
    }
});

fn lines(head: &[u8]) -> usize {
    head.iter().filter(|byte| **byte == b'\n').count()
}

fn once_more(read: &toolforge_http1::ReadRequest) {
    let framing = match read.length {
        Length::Empty => RequestFraming::Empty,
        Length::Known(length) => RequestFraming::Known(length),
        Length::Chunked => RequestFraming::Chunked,
        Length::UntilClose => panic!("requests do not end with the connection"),
    };
    let (asked, mut out) = (&read.request, BytesMut::new());
    encode_request(asked.method(), &asked.uri().to_string(), asked.headers(), framing, &mut out);
    let again = request(&whole(out)).expect("what we write can be read");
    assert_eq!(again.request.method(), asked.method());
    assert_eq!(again.request.uri(), asked.uri());
    let lengths = (again.length, read.length);
    assert!(lengths.0 == lengths.1 || matches!(lengths, (Length::Known(0), Length::Empty)), "{lengths:?}");
    let fields = |headers: &http::HeaderMap| {
        let mut headers = headers.clone();
        headers.remove("content-length");
        headers.remove("transfer-encoding");
        headers
    };
    assert_eq!(fields(again.request.headers()), fields(asked.headers()));
}

fn whole(out: BytesMut) -> Bytes {
    let length = EndOfHead::default().find(&out).expect("what we write ends").expect("and has an end");
    assert_eq!(length, out.len());
    out.freeze()
}

fn body(length: Length, text: &[u8], cut: usize) {
    let at_once = read_body(length, &[text]);
    let (one, two) = text.split_at(text.len().min(cut));
    assert_eq!(read_body(length, &[one, two]), at_once);
}

/// The data, whether the end was reached, and whether the framing broke.
fn read_body(length: Length, parts: &[&[u8]]) -> (Vec<u8>, bool, bool) {
    let (mut body, mut read, mut data) = (Body::new(length), BytesMut::new(), Vec::new());
    for part in parts {
        read.extend_from_slice(part);
        loop {
            match body.take(&mut read) {
                Ok(Piece::Data(some)) => data.extend_from_slice(&some),
                Ok(Piece::Trailers(_)) => {}
                Ok(Piece::Wanting) => break,
                Ok(Piece::End) => return (data, true, false),
                Err(_) => return (data, false, true),
            }
        }
    }
    (data, body.has_ended(), false)
}
