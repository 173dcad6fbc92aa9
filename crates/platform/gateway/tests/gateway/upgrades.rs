//! Connections that become something else.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use toolforge_routing::{Change, Kind};

use crate::{
    scene::Scene,
    tools::{Tool, read_head},
};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nhost: alpha.toolforge.test\r\nconnection: keep-alive, Upgrade\r\n\
                       upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn bytes_go_both_ways_through_an_upgraded_connection() {
    let scene = Scene::new().await;
    let tool = Tool::on_connection(|mut stream| async move {
        let head = read_head(&mut stream).await.to_ascii_lowercase();
        assert!(
            head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"),
            "{head}"
        );
        assert!(head.contains("sec-websocket-key"), "{head}");
        let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-accept: x\r\n\r\nwelcome\n";
        stream.write_all(switch.as_bytes()).await.unwrap();
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            stream
                .write_all(&bytes[..count].to_ascii_uppercase())
                .await
                .unwrap();
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor.send(UPGRADE).await;
    let head = visitor.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for line in [
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-accept: x\r\n",
    ] {
        assert!(head.contains(line), "{line:?} is missing in {head}");
    }
    visitor.until("welcome\n").await;
    for word in ["one\n", "two\n"] {
        visitor.send(word).await;
        assert_eq!(visitor.until("\n").await, word.to_ascii_uppercase());
    }
    // A change of the table leaves the connection alone, the stop of the gateway ends it.
    scene.change(vec![Change::Replace(Kind::Slice, Vec::new())]);
    visitor.send("three\n").await;
    assert_eq!(visitor.until("\n").await, "THREE\n");
    scene.shutdown.cancel();
    assert_eq!(visitor.end().await, "");
}

#[tokio::test]
async fn tool_may_decline_to_upgrade() {
    let scene = Scene::new().await;
    let tool = Tool::saying("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno").await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor.send(UPGRADE).await;
    assert!(visitor.until("\r\n\r\nno").await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn tool_that_switches_unasked_is_a_bad_gateway() {
    let scene = Scene::new().await;
    let tool = Tool::saying(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nbogus",
    )
    .await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor
        .send("GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\nconnection: close\r\n\r\n")
        .await;
    let answer = visitor.end().await;
    assert!(
        answer.starts_with("HTTP/1.1 502 ") && !answer.contains("bogus"),
        "{answer}"
    );
}
