//! Answers are smaller where visitors can read them so, and are otherwise what the tool sent.

use std::{
    convert::Infallible,
    io::Read as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::mpsc;

use crate::{
    scene::{DEADLINE, Scene, Version},
    tools::{Body, FrameSender, Frames, Tool, text},
};

/// A page that is worth compressing.
fn page() -> String {
    (0..2000).fold(String::new(), |page, line| {
        page + &format!("<p>line {line} of it</p>\n")
    })
}

fn decoded(coding: &str, bytes: &[u8]) -> String {
    let mut decoded = String::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_string(&mut decoded),
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_string(&mut decoded),
        "zstd" => zstd::stream::read::Decoder::new(bytes)
            .unwrap()
            .read_to_string(&mut decoded),
        other => unreachable!("nobody asked for {other}"),
    }
    .unwrap();
    decoded
}

/// A tool that answers everything with the page, of this media type, whole or piece by piece.
async fn tool(kind: &'static str, in_pieces: bool) -> Tool {
    Tool::new(move |_| async move {
        let mut response = if in_pieces {
            let (sender, body) = Frames::body();
            for piece in page().as_bytes().chunks(1000) {
                sender.send(Frame::data(Bytes::copy_from_slice(piece))).unwrap();
            }
            Response::new(body)
        } else {
            text(page())
        };
        for (name, value) in [
            ("content-type", kind),
            ("etag", "\"1\""),
            ("accept-ranges", "bytes"),
        ] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    })
    .await
}

async fn get(scene: &Scene, version: Version, accepted: &str) -> reqwest::Response {
    let request = scene.client("alpha", version).get(scene.url("alpha", "/"));
    request.header("accept-encoding", accepted).send().await.unwrap()
}

#[tokio::test]
async fn page_comes_in_the_coding_that_the_visitor_wishes() {
    let scene = Scene::new().await;
    for in_pieces in [false, true] {
        let tool = tool("text/html", in_pieces).await;
        scene.route("alpha", &[tool.address]);
        for version in [Version::Http1, Version::Http2] {
            for (accepted, coding) in [
                ("gzip", "gzip"),
                ("br", "br"),
                ("zstd", "zstd"),
                ("gzip, deflate, br, zstd", "zstd"),
                ("gzip;q=0.9, br;q=0.8", "gzip"),
            ] {
                let response = get(&scene, version, accepted).await;
                let headers = response.headers().clone();
                assert_eq!(headers["content-encoding"], coding, "{version:?} {accepted}");
                assert_eq!(headers["etag"], "W/\"1\"");
                assert_eq!(headers["vary"], "Accept-Encoding");
                assert!(!headers.contains_key("content-length") && !headers.contains_key("accept-ranges"));
                let bytes = response.bytes().await.unwrap();
                assert!(bytes.len() < page().len() / 4, "{coding}: {}", bytes.len());
                assert_eq!(decoded(coding, &bytes), page(), "{version:?} {coding}");
            }
        }
    }
}

#[tokio::test]
async fn page_stays_as_it_is_for_who_wishes_it_so_and_says_that_it_varies() {
    let (scene, tool) = (Scene::new().await, tool("text/html", false).await);
    scene.route("alpha", &[tool.address]);
    let unchanged = |headers: &HeaderMap| {
        assert!(!headers.contains_key("content-encoding"));
        assert_eq!(headers["etag"], "\"1\"");
        assert_eq!(headers["accept-ranges"], "bytes");
        assert_eq!(headers["content-length"], page().len().to_string().as_str());
        assert_eq!(headers["vary"], "Accept-Encoding");
    };
    for accepted in ["identity", "", "deflate", "gzip;q=0, br;q=0", "*"] {
        let response = get(&scene, Version::Http1, accepted).await;
        unchanged(response.headers());
        assert_eq!(response.text().await.unwrap(), page());
    }
    let asking = scene.client("alpha", Version::Http2).get(scene.url("alpha", "/"));
    let asking = asking
        .header("accept-encoding", "gzip")
        .header("cache-control", "no-transform");
    unchanged(asking.send().await.unwrap().headers());
    // HTTP/1.0 knows no chunks.
    let mut visitor = scene.raw("alpha").await;
    let request = "GET / HTTP/1.0\r\nhost: alpha.toolforge.test\r\naccept-encoding: gzip\r\n\r\n";
    visitor.send(request).await;
    let answer = visitor.end().await;
    assert!(
        !answer.contains("content-encoding") && answer.ends_with(&page()),
        "{answer}"
    );
}

#[tokio::test]
async fn head_has_the_fields_of_get() {
    let (scene, tool) = (Scene::new().await, tool("text/html", false).await);
    scene.route("alpha", &[tool.address]);
    for version in [Version::Http1, Version::Http2] {
        for accepted in ["br", "identity"] {
            let mut fields = Vec::new();
            for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
                let client = scene.client("alpha", version);
                let request = client.request(method, scene.url("alpha", "/"));
                let request = request.header("accept-encoding", accepted);
                let mut headers = request.send().await.unwrap().headers().clone();
                // Framing, and the time.
                for name in ["transfer-encoding", "date"] {
                    headers.remove(name);
                }
                fields.push(headers);
            }
            assert_eq!(fields[0], fields[1], "{version:?} {accepted}");
        }
    }
}

#[tokio::test]
async fn what_is_not_worth_it_or_must_not_change_passes_as_it_is() {
    let scene = Scene::new().await;
    let long = "x".repeat(5000);
    for (status, fields, body) in [
        ("200 OK", "content-type: text/html\r\n", "short"),
        ("200 OK", "content-type: image/png\r\n", long.as_str()),
        ("200 OK", "content-type: text/event-stream\r\n", &long),
        (
            "200 OK",
            "content-type: text/html\r\ncontent-encoding: gzip\r\n",
            &long,
        ),
        (
            "200 OK",
            "content-type: text/html\r\ncontent-encoding: identity\r\n",
            &long,
        ),
        (
            "200 OK",
            "content-type: text/html\r\ncache-control: no-transform\r\n",
            &long,
        ),
        (
            "206 Partial Content",
            "content-type: text/html\r\ncontent-range: bytes 0-4999/9000\r\n",
            &long,
        ),
    ] {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\n{fields}content-length: {length}\r\n\r\n{body}");
        let tool = Tool::saying(answer.leak()).await;
        scene.route("alpha", &[tool.address]);
        let response = get(&scene, Version::Http1, "gzip, br, zstd").await;
        let headers = response.headers();
        assert_eq!(headers["content-length"], length.to_string().as_str(), "{fields}");
        assert!(!headers.contains_key("vary"), "{fields}");
        assert_eq!(response.text().await.unwrap(), body, "{fields}");
    }
    let bodiless = "HTTP/1.1 304 Not Modified\r\ncontent-type: text/html\r\netag: \"1\"\r\n\r\n";
    let tool = Tool::saying(bodiless).await;
    scene.route("alpha", &[tool.address]);
    let response = get(&scene, Version::Http1, "gzip").await;
    assert_eq!(response.status(), 304);
    assert_eq!(response.headers()["etag"], "\"1\"");
}

#[tokio::test]
async fn what_the_tool_has_said_arrives_while_it_pauses() {
    let scene = Scene::new().await;
    let (senders, mut coming) = mpsc::unbounded_channel::<FrameSender>();
    let tool = Tool::new(move |_| {
        let senders = senders.clone();
        async move {
            let (sender, body) = Frames::body();
            senders.send(sender).unwrap();
            let mut response = Response::new(body);
            response
                .headers_mut()
                .insert("content-type", "text/plain".parse().unwrap());
            response
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    for coding in ["gzip", "br", "zstd"] {
        let mut response = get(&scene, Version::Http2, coding).await;
        assert_eq!(response.headers()["content-encoding"], coding);
        let sender = coming.recv().await.unwrap();
        let mut bytes = Vec::new();
        for word in ["one ", "two ", "three"] {
            sender.send(Frame::data(word.into())).unwrap();
            // Nothing more is sent before this has come: decoders tell what there is so far.
            while !so_far(coding, &bytes).ends_with(word) {
                let piece = tokio::time::timeout(DEADLINE, response.chunk()).await;
                bytes.extend_from_slice(&piece.expect("nothing came").unwrap().unwrap());
            }
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "7".parse().unwrap());
        sender.send(Frame::trailers(trailers)).unwrap();
        drop(sender);
        while let Some(piece) = response.chunk().await.unwrap() {
            bytes.extend_from_slice(&piece);
        }
        assert_eq!(decoded(coding, &bytes), "one two three");
    }
}

/// What can be read of the beginning of a body.
fn so_far(coding: &str, bytes: &[u8]) -> String {
    let mut decoder: Box<dyn std::io::Read> = match coding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(bytes)),
        "br" => Box::new(brotli::Decompressor::new(bytes, 4096)),
        _ => Box::new(zstd::stream::read::Decoder::new(bytes).unwrap()),
    };
    let (mut text, mut byte) = (Vec::new(), [0]);
    while let Ok(1) = decoder.read(&mut byte) {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn trailers_follow_a_compressed_body() {
    let scene = Scene::new().await;
    let tool = Tool::saying(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n",
    )
    .await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    let request = "GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\naccept-encoding: identity;q=0, br\r\n\r\n";
    visitor.send(request).await;
    assert!(visitor.head().await.contains("content-encoding: br\r\n"));
    visitor.until_bytes(b"\r\n0\r\nx-sum: 7\r\n\r\n").await;
}

#[tokio::test]
async fn body_that_breaks_off_does_not_look_whole() {
    let scene = Scene::new().await;
    let tool =
        Tool::saying("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5000\r\n\r\nhello")
            .await;
    scene.route("alpha", &[tool.address]);
    for version in [Version::Http1, Version::Http2] {
        for coding in ["gzip", "br", "zstd"] {
            let request = scene.client("alpha", version).get(scene.url("alpha", "/"));
            let request = request.header("accept-encoding", coding);
            let received = async { request.send().await?.bytes().await };
            assert!(received.await.is_err(), "{version:?} {coding}");
        }
    }
}

/// A visitor who takes nothing holds up the tool, and not memory.
#[tokio::test]
async fn tool_is_held_up_by_a_visitor_who_takes_nothing() {
    const PIECE_BYTES: usize = 64 * 1024;
    let scene = Scene::new().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let tool = Tool::new(move |_| {
        let counter = counter.clone();
        async move {
            let noise = move || {
                counter.fetch_add(PIECE_BYTES, Ordering::Relaxed);
                let piece: Vec<u8> = (0..PIECE_BYTES).map(|_| rand::random::<u8>()).collect();
                Some(Ok::<_, Infallible>(Frame::data(Bytes::from(piece))))
            };
            let body: Body = StreamBody::new(futures::stream::iter(std::iter::from_fn(noise))).boxed();
            let mut response = Response::new(body);
            response
                .headers_mut()
                .insert("content-type", "text/plain".parse().unwrap());
            response
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let response = get(&scene, Version::Http2, "zstd").await;
    assert_eq!(response.headers()["content-encoding"], "zstd");
    // It stands still when all buffers on the way are full.
    let stands_still = async {
        let mut before = 0;
        loop {
            tokio::time::sleep(DEADLINE / 120).await;
            let now = sent.load(Ordering::Relaxed);
            if now == before {
                return now;
            }
            before = now;
        }
    };
    let bytes = tokio::time::timeout(DEADLINE, stands_still)
        .await
        .expect("the tool goes on sending");
    assert!(bytes < 64 * 1024 * 1024, "{bytes}");
}

#[tokio::test]
async fn operator_says_which_codings_there_are() {
    let (scene, tool) = (Scene::new().await, tool("application/json", false).await);
    scene.route("alpha", &[tool.address]);
    for (settings, expected) in [
        ("compression: [gzip]", Some("gzip")),
        ("compression: [br, zstd]", Some("br")),
        ("compression: []", None),
        ("", Some("zstd")),
    ] {
        scene.settings(settings);
        let response = get(&scene, Version::Http1, "gzip, br, zstd").await;
        let coding = response.headers().get("content-encoding");
        assert_eq!(
            coding.map(|coding| coding.to_str().unwrap()),
            expected,
            "{settings}"
        );
        assert_eq!(
            response.headers().contains_key("vary"),
            expected.is_some(),
            "{settings}"
        );
    }
}
