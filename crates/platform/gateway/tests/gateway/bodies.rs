//! Bodies stream both ways, and have a limit.

use std::convert::Infallible;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::{
    h2c,
    scene::{BODY_LIMIT_BYTES, DEADLINE, Scene, Version},
    tools::{Frames, Tool, text},
};

#[tokio::test]
async fn events_reach_the_visitor_as_they_are_sent() {
    let scene = Scene::new().await;
    let (bodies, mut made) = tokio::sync::mpsc::unbounded_channel();
    let tool = Tool::new(move |_| {
        let (sender, body) = Frames::body();
        bodies.send(sender).unwrap();
        async move {
            let mut response = Response::new(body);
            response
                .headers_mut()
                .insert("content-type", "text/event-stream".parse().unwrap());
            response
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    for version in [Version::Http1, Version::Http2] {
        let response = scene
            .client("alpha", version)
            .get(scene.url("alpha", "/"))
            .send()
            .await
            .unwrap();
        let (sender, mut events) = (made.recv().await.unwrap(), response.bytes_stream());
        for event in ["data: one\n\n", "data: two\n\n"] {
            sender
                .send(Frame::data(Bytes::from_static(event.as_bytes())))
                .unwrap();
            // The next event is not sent before this one has arrived.
            assert_eq!(events.next().await.unwrap().unwrap(), event);
        }
    }
}

#[tokio::test]
async fn request_body_streams_with_and_without_a_length() {
    let (scene, tool) = (Scene::new().await, Tool::mirror().await);
    scene.route("alpha", &[tool.address]);
    for version in [Version::Http1, Version::Http2] {
        let client = scene.client("alpha", version);
        let sized = client
            .post(scene.url("alpha", "/"))
            .body("hello")
            .send()
            .await
            .unwrap();
        let seen = sized.text().await.unwrap();
        assert!(
            seen.contains("content-length: 5\n") && seen.ends_with("\n\nhello"),
            "{seen}"
        );
        let parts = futures::stream::iter(["he", "llo"].map(Ok::<_, Infallible>));
        let streamed = client
            .post(scene.url("alpha", "/"))
            .body(reqwest::Body::wrap_stream(parts));
        let seen = streamed.send().await.unwrap().text().await.unwrap();
        assert!(
            seen.contains("transfer-encoding: chunked\n") && seen.ends_with("\n\nhello"),
            "{seen}"
        );
    }
}

#[tokio::test]
async fn body_past_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let scene = Scene::new().await;
    let tool = Tool::new(|request| async move {
        match request.into_body().collect().await {
            Ok(body) => text(body.to_bytes().len().to_string()),
            Err(_) => text("broken"),
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let limit = usize::try_from(BODY_LIMIT_BYTES).unwrap();
    for version in [Version::Http1, Version::Http2] {
        let client = scene.client("alpha", version);
        for (length, status) in [(limit, 200), (limit + 1, 413)] {
            let sized = client.post(scene.url("alpha", "/")).body(vec![b'x'; length]);
            assert_eq!(
                sized.send().await.unwrap().status(),
                status,
                "{version:?} {length}"
            );
            let parts = vec![vec![b'x'; limit], vec![b'x'; length - limit]];
            let parts = futures::stream::iter(parts.into_iter().map(Ok::<_, Infallible>));
            let streamed = client
                .post(scene.url("alpha", "/"))
                .body(reqwest::Body::wrap_stream(parts));
            assert_eq!(
                streamed.send().await.unwrap().status(),
                status,
                "{version:?} {length} streamed"
            );
        }
    }
}

#[tokio::test]
async fn refused_body_is_read_so_that_the_refusal_arrives() {
    let scene = Scene::new().await;
    let tool = Tool::mirror().await;
    scene.route("alpha", &[tool.address]);
    // More than all buffers on the way hold.
    let part = vec![b'x'; 1024 * 1024];
    let parts = futures::stream::iter(vec![Ok::<_, Infallible>(part.clone()); 16]);
    let bodies = [
        reqwest::Body::from(part.repeat(16)),
        reqwest::Body::wrap_stream(parts),
    ];
    let client = scene.client("alpha", Version::Http1);
    for body in bodies {
        let response = client
            .post(scene.url("alpha", "/"))
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 413);
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn visitor_who_expects_it_is_told_to_continue() {
    let (scene, tool) = (Scene::new().await, Tool::mirror().await);
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    let head = "POST / HTTP/1.1\r\nhost: alpha.toolforge.test\r\ncontent-length: 5\r\n\
                expect: 100-continue\r\nconnection: close\r\n\r\n";
    visitor.send(head).await;
    assert!(visitor.head().await.starts_with("HTTP/1.1 100 "));
    visitor.send("hello").await;
    assert!(visitor.head().await.starts_with("HTTP/1.1 200 "));
    let seen = visitor.end().await;
    assert!(seen.contains("\n\nhello") && !seen.contains("expect"), "{seen}");
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let scene = Scene::new().await;
    let tool = Tool::new(|request| async move {
        let asked = request.headers().get("te").cloned();
        let trailers = request.into_body().collect().await.unwrap().trailers().cloned();
        let (sender, body) = Frames::body();
        let checksum = trailers.and_then(|trailers| trailers.get("x-sum").cloned());
        sender
            .send(Frame::data(format!("{asked:?} {checksum:?}").into()))
            .unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-answer", "42".parse().unwrap());
        sender.send(Frame::trailers(trailers)).unwrap();
        let mut response = Response::new(body);
        response
            .headers_mut()
            .insert("trailer", "x-answer".parse().unwrap());
        response
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    let request = "POST / HTTP/1.1\r\nhost: alpha.toolforge.test\r\nte: trailers\r\ntrailer: x-sum\r\n\
                   transfer-encoding: chunked\r\nconnection: close, te\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n";
    visitor.send(request).await;
    let answer = visitor.end().await;
    assert!(answer.contains(r#"Some("trailers") Some("7")"#), "{answer}");
    assert!(answer.ends_with("0\r\nx-answer: 42\r\n\r\n"), "{answer}");

    let sum = HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
    let frames = [Frame::data(Bytes::from_static(b"hi")), Frame::trailers(sum)];
    let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, Infallible>)));
    let request = Request::post("https://alpha.toolforge.test/").header("te", "trailers");
    let mut visitor = h2c::visitor(&scene).await;
    let answered = visitor.send_request(request.body(BodyExt::boxed(body)).unwrap());
    let answer = tokio::time::timeout(DEADLINE, answered).await.unwrap().unwrap();
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["x-answer"], "42");
    assert_eq!(whole.to_bytes(), r#"Some("trailers") Some("7")"#);
}
