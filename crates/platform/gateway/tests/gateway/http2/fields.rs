//! Fields and pseudo-headers (RFC 9113 8): what is malformed is refused before any tool sees it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http_body_util::BodyExt as _;

use super::peer::{
    DATA, END_HEADERS, END_STREAM, HEADERS, Outcome, PROTOCOL, Peer, RST_STREAM, fields, frame,
};
use crate::{
    scene::Scene,
    tools::{Tool, text},
};

/// A tool that counts the requests whose bodies came whole.
async fn counting() -> (Scene, Tool, Arc<AtomicUsize>) {
    let scene = Scene::new().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let tool = Tool::new(move |request| {
        let counter = counter.clone();
        async move {
            if request.into_body().collect().await.is_ok() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            text("ok")
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    (scene, tool, count)
}

type Fields = Vec<(&'static [u8], &'static [u8])>;

const METHOD: (&[u8], &[u8]) = (b":method", b"GET");
const SCHEME: (&[u8], &[u8]) = (b":scheme", b"https");
const PATH: (&[u8], &[u8]) = (b":path", b"/");
const AUTHORITY: (&[u8], &[u8]) = (b":authority", b"alpha.toolforge.test");

/// A good request, and this.
fn with(name: &'static [u8], value: &'static [u8]) -> Fields {
    vec![METHOD, SCHEME, PATH, AUTHORITY, (name, value)]
}

/// A good request with another value of one pseudo-header.
fn instead(name: &'static [u8], value: &'static [u8]) -> Fields {
    let other = |field: (&'static [u8], &'static [u8])| if field.0 == name { (name, value) } else { field };
    [METHOD, SCHEME, PATH, AUTHORITY].map(other).to_vec()
}

/// A good request without one pseudo-header.
fn without(name: &[u8]) -> Fields {
    let mut fields = vec![METHOD, SCHEME, PATH, AUTHORITY];
    fields.retain(|field| field.0 != name);
    fields
}

fn malformed() -> Vec<Fields> {
    vec![
        // 8.2: names.
        with(b"X-Upper", b"1"),
        with(b"x y", b"1"),
        with(b"x:y", b"1"),
        with(b"", b"1"),
        with(b"x\r\nevil: 1\r\ny", b"1"),
        with(b"x\0", b"1"),
        with(b"x\x7f", b"1"),
        with(b"x\xe4", b"1"),
        // 8.2.1: values.
        with(b"x", b"a\r\nevil: 1"),
        with(b"x", b"a\nevil: 1"),
        with(b"x", b"a\rb"),
        with(b"x", b"a\0b"),
        with(b"x", b" a"),
        with(b"x", b"a "),
        with(b"x", b"\ta"),
        with(b"x", b"a\t"),
        // 8.2.2: what belongs to a connection.
        with(b"connection", b"close"),
        with(b"connection", b"keep-alive"),
        with(b"keep-alive", b"timeout=5"),
        with(b"proxy-connection", b"close"),
        with(b"transfer-encoding", b"chunked"),
        with(b"transfer-encoding", b"identity"),
        with(b"upgrade", b"websocket"),
        with(b"te", b"gzip"),
        with(b"te", b"trailers, gzip"),
        // 8.3: pseudo-headers.
        with(b":method", b"GET"),
        with(b":path", b"/x"),
        with(b":scheme", b"https"),
        with(b":authority", b"beta.toolforge.test"),
        with(b":status", b"200"),
        with(b":unknown", b"x"),
        // RFC 8441: it was not offered.
        vec![
            (b":method", b"CONNECT"),
            (b":protocol", b"websocket"),
            SCHEME,
            PATH,
            AUTHORITY,
        ],
        with(b":", b"x"),
        vec![METHOD, SCHEME, PATH, (b"x", b"1"), AUTHORITY],
        vec![(b"x", b"1"), METHOD, SCHEME, PATH, AUTHORITY],
        vec![METHOD, METHOD, SCHEME, PATH, AUTHORITY],
        vec![METHOD, SCHEME, PATH, PATH, AUTHORITY],
        vec![METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY],
        without(b":method"),
        without(b":scheme"),
        without(b":path"),
        without(b":authority"),
        instead(b":method", b""),
        instead(b":method", b"GET "),
        instead(b":method", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
        instead(b":method", b"G\xc3T"),
        instead(b":path", b""),
        instead(b":path", b"x"),
        instead(b":path", b"*"),
        instead(b":path", b"https://beta.toolforge.test/"),
        instead(b":path", b"/a b"),
        instead(b":path", b"/ HTTP/1.1\r\nhost: evil.test\r\n\r\n"),
        instead(b":path", b"/\r\n"),
        instead(b":path", b"/\0"),
        instead(b":path", b"/\t"),
        instead(b":scheme", b""),
        instead(b":scheme", b"ht tp"),
        instead(b":authority", b""),
        instead(b":authority", b"user@alpha.toolforge.test"),
        instead(b":authority", b"alpha.toolforge.test/x"),
        instead(b":authority", b"alpha.toolforge.test, beta.toolforge.test"),
        instead(b":authority", b"alpha.toolforge.test\r\nx: y"),
        instead(b":authority", b"alpha.toolforge.test:x"),
        // 8.3.1: one host.
        with(b"host", b"beta.toolforge.test"),
        [
            with(b"host", b"alpha.toolforge.test"),
            vec![(b"host", b"alpha.toolforge.test")],
        ]
        .concat(),
        // 8.1.1 and RFC 9110 8.6: a length that is none, or another than that of nothing.
        with(b"content-length", b"1"),
        with(b"content-length", b"+0"),
        with(b"content-length", b"0x0"),
        with(b"content-length", b""),
        with(b"content-length", b"0, 0"),
        with(b"content-length", b"99999999999999999999"),
        [with(b"content-length", b"0"), vec![(b"content-length", b"1")]].concat(),
    ]
}

#[tokio::test]
async fn malformed_requests_are_refused_before_any_tool_sees_them() {
    let (scene, _tool, count) = counting().await;
    let mut wrong = Vec::new();
    let mut served = 0;
    for request in malformed() {
        let mut peer = Peer::new(&scene).await;
        let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&request));
        peer.write(&head).await;
        let outcome = peer.outcome(1).await;
        // 5.4.1 lets an error of a stream end the connection; otherwise it serves on.
        let is_refused = match outcome {
            Outcome::Reset(PROTOCOL) | Outcome::Answered(400) => peer.serves(3).await,
            Outcome::Gone(PROTOCOL) => true,
            _ => false,
        };
        if matches!(outcome, Outcome::Reset(_) | Outcome::Answered(_)) {
            served += 1;
        }
        if !is_refused || count.load(Ordering::Relaxed) != served {
            let shown: Vec<String> = request
                .iter()
                .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()))
                .collect();
            wrong.push(format!("{shown:?}: {outcome:?}"));
            served = count.load(Ordering::Relaxed);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn body_of_another_length_than_was_said_reaches_no_tool_whole() {
    let (scene, _tool, count) = counting().await;
    let head = |length: &'static [u8]| {
        let mut request = instead(b":method", b"POST");
        request.push((b"content-length", length));
        frame(HEADERS, END_HEADERS, 1, &fields(&request))
    };
    let data = |flags, bytes: &[u8]| frame(DATA, flags, 1, bytes);
    for (name, frames) in [
        ("less", [head(b"5"), data(END_STREAM, b"abc")].concat()),
        ("nothing", [head(b"5"), data(END_STREAM, b"")].concat()),
        ("more", [head(b"5"), data(END_STREAM, b"abcdef")].concat()),
        (
            "more, later",
            [head(b"5"), data(0, b"abcde"), data(END_STREAM, b"f")].concat(),
        ),
        (
            "less, and trailers",
            [
                head(b"5"),
                data(0, b"abc"),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&[("x", "y")])),
            ]
            .concat(),
        ),
    ] {
        let mut peer = Peer::new(&scene).await;
        peer.write(&frames).await;
        let outcome = peer.outcome(1).await;
        assert!(
            matches!(outcome, Outcome::Reset(PROTOCOL) | Outcome::Answered(400)),
            "{name}: {outcome:?}"
        );
        assert_eq!(count.load(Ordering::Relaxed), 0, "{name}");
    }
    // A body that the visitor takes back.
    let mut peer = Peer::new(&scene).await;
    let begun = [
        head(b"5"),
        data(0, b"abc"),
        frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]),
    ]
    .concat();
    peer.write(&begun).await;
    assert!(peer.serves(3).await);
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn good_requests_of_every_form_are_served() {
    let (scene, _tool, _) = counting().await;
    let mut no_authority = without(b":authority");
    no_authority.push((b"host", b"alpha.toolforge.test"));
    for request in [
        instead(b":authority", b"ALPHA.toolforge.test"),
        instead(b":authority", b"alpha.toolforge.test:443"),
        instead(b":method", b"PROPFIND"),
        instead(b":path", b"/a%20b?c=d&%00"),
        instead(b":path", b"//x//"),
        with(b"host", b"alpha.toolforge.test"),
        with(b"te", b"trailers"),
        with(b"content-length", b"0"),
        with(b"x", b""),
        with(b"x", b"a \t b"),
        with(b"x", b"\xe4\xff"),
        no_authority,
    ] {
        let mut peer = Peer::new(&scene).await;
        let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&request));
        peer.write(&head).await;
        assert_eq!(peer.outcome(1).await, Outcome::Answered(200), "{request:?}");
    }
    for method in [&b"CONNECT"[..], b"TRACE"] {
        let mut request = instead(b":method", method.to_vec().leak());
        if method == b"CONNECT" {
            request.retain(|(name, _)| *name != b":scheme" && *name != b":path");
        }
        let mut peer = Peer::new(&scene).await;
        let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&request));
        peer.write(&head).await;
        let outcome = peer.outcome(1).await;
        assert_eq!(outcome, Outcome::Answered(405), "{method:?}");
    }
}
