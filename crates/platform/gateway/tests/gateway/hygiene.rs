//! Requests that two servers could understand differently reach no tool otherwise than we understood them.

use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Collected};

use crate::{
    scene::{Scene, Version},
    tools::{Tool, text},
};

/// What a tool was asked, one line for each request: method, path and body.
type Asked = Arc<Mutex<Vec<String>>>;

async fn recording() -> (Tool, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let tool = Tool::new(move |request| {
        let seen = seen.clone();
        async move {
            let line = format!("{} {}", request.method(), request.uri());
            let body = request
                .into_body()
                .collect()
                .await
                .map(Collected::to_bytes)
                .unwrap_or_default();
            seen.lock()
                .unwrap()
                .push(format!("{line} {}", String::from_utf8_lossy(&body)));
            text("ok")
        }
    })
    .await;
    (tool, asked)
}

#[tokio::test]
async fn ambiguous_requests_are_refused_before_any_tool_sees_them() {
    let scene = Scene::new().await;
    let (tool, asked) = recording().await;
    scene.route("alpha", &[tool.address]);
    for (head, status) in [
        (
            "POST / HTTP/1.1\r\nhost: HOST\r\ntransfer-encoding: gzip, chunked\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nhost: HOST\r\ntransfer-encoding: chunked, gzip\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nhost: HOST\r\ntransfer-encoding: xchunked\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nhost: HOST\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            400,
        ),
        (
            "POST / HTTP/1.0\r\nhost: HOST\r\ntransfer-encoding: chunked\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nhost: HOST\r\ncontent-length: 1\r\ncontent-length: 2\r\n",
            400,
        ),
        ("POST / HTTP/1.1\r\nhost: HOST\r\ncontent-length: +1\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: HOST\r\ncontent-length : 1\r\n", 400),
        (
            "GET / HTTP/1.1\r\nhost: HOST\r\nhost: other.toolforge.test\r\n",
            400,
        ),
        ("GET / HTTP/1.1\r\nhost: HOST\r\nx-a: 1\r\n folded: 2\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: user@HOST\r\n", 400),
        ("TRACE / HTTP/1.1\r\nhost: HOST\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\nhost: HOST\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: HOST\r\nexpect: miracles\r\n", 417),
    ] {
        let mut visitor = scene.raw("alpha").await;
        let head = head.replace("HOST", &Scene::host("alpha"));
        visitor.send(&format!("{head}connection: close\r\n\r\n")).await;
        let answer = visitor.head().await;
        assert_eq!(
            answer.split(' ').nth(1),
            Some(&*status.to_string()),
            "{head:?}: {answer}"
        );
    }
    assert_eq!(*asked.lock().unwrap(), [""; 0]);
}

#[tokio::test]
async fn both_lengths_are_read_as_chunked_and_sent_on_as_one() {
    let scene = Scene::new().await;
    let (tool, asked) = recording().await;
    scene.route("alpha", &[tool.address]);
    for lengths in [
        "content-length: 44\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 44\r\n",
    ] {
        let mut visitor = scene.raw("alpha").await;
        let smuggled = "GET /smuggled HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n";
        let head = format!("POST / HTTP/1.1\r\nhost: alpha.toolforge.test\r\n{lengths}\r\n0\r\n\r\n");
        visitor.send(&format!("{head}{smuggled}")).await;
        // Either refused, or answered once and closed: what follows is not taken for a request.
        let answer = visitor.end().await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    for line in asked.lock().unwrap().iter() {
        assert_eq!(line, "POST / ");
    }
}

#[tokio::test]
async fn http_2_request_has_one_host_only() {
    let scene = Scene::new().await;
    let (tool, asked) = recording().await;
    scene.route("alpha", &[tool.address]);
    let client = scene.client("alpha", Version::Http2);
    let request = client
        .get(scene.url("alpha", "/"))
        .header("host", "beta.toolforge.test");
    assert_eq!(request.send().await.unwrap().status(), 400);
    assert_eq!(*asked.lock().unwrap(), [""; 0]);
}
