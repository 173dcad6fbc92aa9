//! What a tool gets, and what the visitor gets back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http_body_util::BodyExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::{
    scene::{DEADLINE, PUBLIC_PORT, Scene, Version},
    tools::{Tool, read_head, text},
};

#[tokio::test]
async fn tool_is_served_over_both_versions_and_knows_how_it_was_reached() {
    let (scene, tool) = (Scene::new().await, Tool::mirror().await);
    scene.route("alpha", &[tool.address]);
    for version in [Version::Http1, Version::Http2] {
        let request = scene
            .client("alpha", version)
            .get(scene.url("alpha", "/a%20b?c=d"));
        let request = request
            .header("x-forwarded-for", "192.0.2.1")
            .header("proxy", "http://evil.test")
            .header(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            );
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{version:?}");
        assert_eq!(
            response.headers()["strict-transport-security"],
            "max-age=31622400"
        );
        assert_eq!(response.headers()["permissions-policy"], "browsing-topics=()");
        let seen = response.text().await.unwrap();
        assert!(seen.starts_with("GET /a%20b?c=d\n"), "{seen}");
        let host = format!("alpha.toolforge.test:{}", scene.https.port());
        for line in [
            format!("host: {host}\n"),
            format!("x-forwarded-host: {host}\n"),
            format!("x-forwarded-port: {PUBLIC_PORT}\n"),
            "x-forwarded-proto: https\n".into(),
            "x-original-uri: /a%20b?c=d\n".into(),
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n".into(),
            "x-request-id: ".into(),
        ] {
            assert!(seen.contains(&line), "{version:?}: {line} is missing in {seen}");
        }
        for absent in ["x-forwarded-for", "proxy:", "127.0.0.1"] {
            assert!(!seen.contains(absent), "{version:?}: {absent} is in {seen}");
        }
    }
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection_to_the_tool() {
    let (scene, tool) = (Scene::new().await, Tool::named("alpha").await);
    scene.route("alpha", &[tool.address]);
    let client = scene.client("alpha", Version::Http1);
    for _ in 0..20 {
        let answer = client
            .get(scene.url("alpha", "/"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert_eq!(answer, "alpha");
    }
    // One may still be on its way back to the pool when the next request comes.
    assert!(tool.connections() < 20, "{}", tool.connections());
}

#[tokio::test]
async fn kept_alive_connection_that_the_tool_closes_costs_no_get() {
    let scene = Scene::new().await;
    // Says that it keeps the connection, and closes it with the next request on its way.
    let tool = Tool::on_connection(|mut stream| async move {
        if !read_head(&mut stream).await.is_empty() {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .await;
            let _ = read_head(&mut stream).await;
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let client = scene.client("alpha", Version::Http1);
    for _ in 0..30 {
        let response = client.get(scene.url("alpha", "/")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let scene = Scene::new().await;
    let tool = Tool::saying("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n").await;
    scene.route("alpha", &[tool.address]);
    for version in [Version::Http1, Version::Http2] {
        let response = scene
            .client("alpha", version)
            .head(scene.url("alpha", "/"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-length"], "1234");
        assert!(response.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn redirect_of_the_tool_to_itself_stays_on_https() {
    let scene = Scene::new().await;
    let tool = Tool::saying(
        "HTTP/1.1 302 Found\r\nlocation: http://alpha.toolforge.test/x\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    scene.route("alpha", &[tool.address]);
    let response = scene
        .client("alpha", Version::Http1)
        .get(scene.url("alpha", "/"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.headers()["location"],
        format!("https://alpha.toolforge.test:{PUBLIC_PORT}/x")
    );
}

#[tokio::test]
async fn changed_table_holds_for_the_next_request_of_the_same_connection() {
    let (scene, old, new) = (
        Scene::new().await,
        Tool::named("old").await,
        Tool::named("new").await,
    );
    scene.route("alpha", &[old.address]);
    let client = scene.client("alpha", Version::Http2);
    let answer = async || {
        client
            .get(scene.url("alpha", "/"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert_eq!(answer().await, "old");
    scene.route("alpha", &[new.address]);
    assert_eq!(answer().await, "new");
}

#[tokio::test]
async fn request_under_way_is_answered_after_the_stop() {
    let scene = Scene::new().await;
    let (arrived, release) = (
        Arc::new(tokio::sync::Notify::new()),
        Arc::new(tokio::sync::Notify::new()),
    );
    let (at_tool, go_on) = (arrived.clone(), release.clone());
    let answered = Arc::new(AtomicBool::new(false));
    let tool = Tool::new(move |request| {
        let (at_tool, go_on) = (at_tool.clone(), go_on.clone());
        async move {
            let _ = request.into_body().collect().await;
            at_tool.notify_one();
            go_on.notified().await;
            text("late")
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let client = scene.client("alpha", Version::Http1);
    let (url, seen) = (scene.url("alpha", "/"), answered.clone());
    let request = tokio::spawn(async move {
        let text = client.get(url).send().await.unwrap().text().await.unwrap();
        seen.store(true, Ordering::Relaxed);
        text
    });
    arrived.notified().await;
    scene.shutdown.cancel();
    release.notify_one();
    assert_eq!(request.await.unwrap(), "late");
    tokio::time::timeout(DEADLINE, scene.served)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn interim_answers_of_a_tool_end_here_and_the_last_one_passes() {
    let scene = Scene::new().await;
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nlink: </b.css>; rel=preload\r\ncontent-length: 2\r\n\r\nok";
    let said = format!("HTTP/1.1 102 Processing\r\n\r\n{hints}{hints}{answer}");
    let tool = Tool::saying(said.leak()).await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor
        .send("GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\nconnection: close\r\n\r\n")
        .await;
    let seen = visitor.end().await;
    assert!(
        seen.starts_with("HTTP/1.1 200 OK\r\n") && seen.ends_with("\r\n\r\nok"),
        "{seen}"
    );
    assert!(
        seen.contains("link: </b.css>") && !seen.contains("a.css"),
        "{seen}"
    );
    let client = scene.client("alpha", Version::Http2);
    let answer = client.get(scene.url("alpha", "/")).send().await.unwrap();
    assert_eq!(answer.headers()["link"], "</b.css>; rel=preload");
    assert_eq!(answer.text().await.unwrap(), "ok");

    let tool = Tool::saying("HTTP/1.1 103 Early Hints\r\n\r\n").await;
    scene.route("alpha", &[tool.address]);
    let answer = client.get(scene.url("alpha", "/")).send().await.unwrap();
    assert_eq!(answer.status(), 502, "an interim answer is none");
}
