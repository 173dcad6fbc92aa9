//! What comes over HTTP/2 stands in HTTP/1.1 as it was understood: one request, with one host, one length and the very
//! target.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::peer::{DATA, END_HEADERS, END_STREAM, HEADERS, Outcome, Peer, fields, frame};
use crate::{scene::Scene, tools::Tool};

/// The bytes that came over each connection.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// A tool that writes down the very bytes of one request on each connection, up to this end of it.
async fn writing_down(end: &'static [u8]) -> (Tool, Seen) {
    let seen = Seen::default();
    let record = seen.clone();
    let tool = Tool::on_connection(move |mut stream: TcpStream| {
        let record = record.clone();
        async move {
            let mut bytes = Vec::new();
            while !bytes.ends_with(end) {
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            record.lock().push(bytes);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    })
    .await;
    (tool, seen)
}

/// The lines that a tool gets for this request, sorted, besides those that every request has.
async fn downgraded(request: &[(&str, &str)], body: &[u8], end: &'static [u8]) -> Vec<String> {
    let flags = if body.is_empty() {
        END_HEADERS | END_STREAM
    } else {
        END_HEADERS
    };
    let mut bytes = frame(HEADERS, flags, 1, &fields(request));
    if !body.is_empty() {
        bytes.extend(frame(DATA, END_STREAM, 1, body));
    }
    passed(&bytes, end).await
}

/// The lines that a tool gets for these frames.
async fn passed(bytes: &[u8], end: &'static [u8]) -> Vec<String> {
    let (scene, (tool, seen)) = (Scene::new().await, writing_down(end).await);
    scene.route("alpha", &[tool.address]);
    let mut peer = Peer::new(&scene).await;
    peer.write(bytes).await;
    assert_eq!(peer.outcome(1).await, Outcome::Answered(200));
    let seen = seen.lock();
    assert_eq!(seen.len(), 1);
    let text = String::from_utf8(seen[0].clone()).unwrap();
    let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    assert!(lines.iter().all(|line| !line.contains(['\r', '\n'])), "{lines:?}");
    let usual = ["x-forwarded-", "x-request-id", "x-original-uri"];
    lines.retain(|line| !line.is_empty() && !usual.iter().any(|name| line.starts_with(name)));
    lines[1..].sort_unstable();
    lines
}

const HOST: &str = "alpha.toolforge.test";

#[tokio::test]
async fn request_is_the_same_in_http_1() {
    let head = |method, path| {
        [
            (":method", method),
            (":scheme", "https"),
            (":path", path),
            (":authority", HOST),
        ]
    };
    let with = |more: &[(&'static str, &'static str)]| [&head("GET", "/")[..], more].concat();
    let host = "host: alpha.toolforge.test";
    let end = b"\r\n\r\n";
    for (request, expected) in [
        (with(&[]), vec!["GET / HTTP/1.1", host]),
        (
            head("GET", "/a%0d%0ab/../%2e?x=%20&y=/?#")
                .map(|(name, value)| (name, value.trim_end_matches('#')))
                .to_vec(),
            vec!["GET /a%0d%0ab/../%2e?x=%20&y=/? HTTP/1.1", host],
        ),
        (
            head("GET", "//other.test/x").to_vec(),
            vec!["GET //other.test/x HTTP/1.1", host],
        ),
        // A fragment is no part of a target, and goes no further.
        (head("GET", "/a?b#c").to_vec(), vec!["GET /a?b HTTP/1.1", host]),
        (head("M-SEARCH", "/").to_vec(), vec!["M-SEARCH / HTTP/1.1", host]),
        // Two that say the same are one.
        (with(&[("host", HOST)]), vec!["GET / HTTP/1.1", host]),
        // What HTTP/2 lets be cut up is whole, and in order.
        (
            with(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c=3")]),
            vec!["GET / HTTP/1.1", "cookie: a=1; b=2; c=3", host, "x: y"],
        ),
        (
            with(&[("te", "trailers")]),
            vec!["GET / HTTP/1.1", "connection: te", host, "te: trailers"],
        ),
        // Names that mean something to servers for HTTP/1.1 alone pass, or not at all, but never become framing.
        (
            with(&[("x", "transfer-encoding: chunked")]),
            vec!["GET / HTTP/1.1", host, "x: transfer-encoding: chunked"],
        ),
        (with(&[("content-length", "0")]), vec!["GET / HTTP/1.1", host]),
        (
            with(&[("proxy", "x"), ("forwarded", "for=x")]),
            vec!["GET / HTTP/1.1", host],
        ),
        (
            head("POST", "/").to_vec(),
            vec!["POST / HTTP/1.1", "content-length: 0", host],
        ),
    ] {
        assert_eq!(downgraded(&request, b"", end).await, expected);
    }
    // A length that was said is said, and one that was not becomes chunks; what the body holds means nothing.
    let smuggled = b"GET /evil HTTP/1.1\r\nhost: x\r\n\r\n";
    let sized = [&head("POST", "/")[..], &[("content-length", "31")]].concat();
    let lines = downgraded(&sized, smuggled, smuggled).await;
    let body = ["GET /evil HTTP/1.1", "host: x"];
    assert_eq!(
        lines,
        ["POST / HTTP/1.1", body[0], "content-length: 31", host, body[1]]
    );
    let lines = downgraded(&head("POST", "/"), smuggled, b"\r\n0\r\n\r\n").await;
    let expected = [
        "POST / HTTP/1.1",
        "0",
        "1f",
        body[0],
        host,
        body[1],
        "transfer-encoding: chunked",
    ];
    assert_eq!(lines, expected);
}

/// Trailers say nothing that a server may go by (RFC 9110 6.5.1).
#[tokio::test]
async fn trailers_are_no_fields_of_the_head() {
    let head = fields(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", HOST),
        ("te", "trailers"),
    ]);
    let trailers = fields(&[
        (":path", "/evil"),
        ("x-sum", "7"),
        ("content-length", "5"),
        ("host", "evil.test"),
        ("authorization", "Basic eDp5"),
        ("content-encoding", "gzip"),
        ("trailer", "x"),
    ]);
    let frames = [
        frame(HEADERS, END_HEADERS, 1, &head),
        frame(DATA, 0, 1, b"hello"),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers),
    ];
    let lines = passed(&frames.concat(), b"\r\n0\r\nx-sum: 7\r\n\r\n").await;
    let mut expected = [
        "POST / HTTP/1.1",
        "0",
        "5",
        "connection: te",
        "hello",
        "host: alpha.toolforge.test",
        "te: trailers",
        "transfer-encoding: chunked",
        "x-sum: 7",
    ];
    expected[1..].sort_unstable();
    assert_eq!(lines, expected);
}
