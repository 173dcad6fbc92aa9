//! What becomes of connections when the gateway stops taking others.

use std::{io::Read as _, io::Write as _, net::TcpStream, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
};
use tokio_rustls::TlsConnector;
use toolforge_gateway::{Drain, PlainHttp};

use crate::{
    scene::{DEADLINE, LOOK_AGAIN, Raw, Scene},
    tools::{Tool, read_head, text},
};

const ASKED: &str = "POST / HTTP/1.1\r\nhost: alpha.toolforge.test\r\ncontent-length: 2\r\n\r\nhi";
const UPGRADE: &str =
    "GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

async fn scene() -> Scene {
    Scene::ending(PlainHttp::Serve, Drain::within(DEADLINE)).await
}

async fn ended(scene: Scene) {
    let ended = tokio::time::timeout(DEADLINE, scene.served).await;
    ended.expect("the gateway ends").unwrap();
}

/// A tool whose connections become echoes.
async fn echo() -> Tool {
    Tool::on_connection(|mut stream| async move {
        read_head(&mut stream).await;
        let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(switch.as_bytes()).await.unwrap();
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            stream.write_all(&bytes[..count]).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn request_that_comes_just_after_the_stop_is_answered_and_is_the_last_of_its_connection() {
    let (scene, tool) = (scene().await, Tool::named("alpha").await);
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor.send(ASKED).await;
    let head = visitor.until("alpha").await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && !head.contains("connection:"),
        "{head}"
    );
    scene.shutdown.cancel();
    tokio::task::yield_now().await;
    visitor.send(ASKED).await;
    let answer = visitor.end().await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close\r\n"),
        "{answer}"
    );
    ended(scene).await;
}

#[tokio::test]
async fn handshake_and_request_under_way_are_finished() {
    let scene = scene().await;
    let (asked, may_answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let tool = Tool::new({
        let (asked, may_answer) = (asked.clone(), may_answer.clone());
        move |_| {
            let (asked, may_answer) = (asked.clone(), may_answer.clone());
            async move {
                asked.notify_one();
                may_answer.notified().await;
                text("alpha")
            }
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let shaking = tokio::net::TcpStream::connect(scene.https).await.unwrap();
    // Connections are taken in their order: when this one is served the other waits for its handshake.
    let mut waiting = scene.raw("alpha").await;
    waiting.send(ASKED).await;
    asked.notified().await;
    scene.shutdown.cancel();
    tokio::task::yield_now().await;
    let name = ServerName::try_from(Scene::host("alpha")).unwrap();
    let connector = TlsConnector::from(Arc::new(scene.client_config()));
    let mut shaken = Raw::new(connector.connect(name, shaking).await.unwrap());
    shaken.send(ASKED).await;
    may_answer.notify_one();
    assert!(waiting.end().await.ends_with("alpha"));
    may_answer.notify_one();
    let answer = shaken.end().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    ended(scene).await;
}

#[tokio::test]
async fn first_request_of_an_http2_connection_is_answered_after_the_stop_too() {
    let (scene, tool) = (scene().await, Tool::named("alpha").await);
    scene.route("alpha", &[tool.address]);
    let mut tls = scene.client_config();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio::net::TcpStream::connect(scene.https).await.unwrap();
    let name = ServerName::try_from(Scene::host("alpha")).unwrap();
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await;
    let stream = TokioIo::new(stream.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    scene.shutdown.cancel();
    let stopped = async {
        while TcpStream::connect(scene.https).is_ok() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(DEADLINE, stopped)
        .await
        .expect("nobody listens any more");
    client.ready().await.unwrap();
    let request = http::Request::post("https://alpha.toolforge.test/").body(Full::new(Bytes::from("hi")));
    let response = client.send_request(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(response);
    // It goes away then, though the client would stay.
    tokio::time::timeout(DEADLINE, connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    ended(scene).await;
}

#[tokio::test]
async fn connections_in_the_queue_are_served() {
    let (scene, tool) = (scene().await, Tool::named("alpha").await);
    scene.route("alpha", &[tool.address]);
    // The gateway runs in this thread: none of them is accepted before the stop.
    let connect = |_| TcpStream::connect(scene.http).unwrap();
    let visitors: Vec<TcpStream> = (0..16).map(connect).collect();
    scene.shutdown.cancel();
    let asking = tokio::task::spawn_blocking(move || {
        for mut visitor in visitors {
            let mut answer = String::new();
            visitor.set_read_timeout(Some(DEADLINE)).unwrap();
            visitor.write_all(ASKED.as_bytes()).unwrap();
            visitor.read_to_string(&mut answer).unwrap();
            assert!(
                answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("alpha"),
                "{answer}"
            );
        }
    });
    asking.await.unwrap();
    assert!(TcpStream::connect(scene.http).is_err(), "nobody listens any more");
    ended(scene).await;
}

#[tokio::test]
async fn upgraded_connection_lives_on_until_it_ends_itself() {
    let (scene, tool) = (scene().await, echo().await);
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor.send(UPGRADE).await;
    visitor.head().await;
    scene.shutdown.cancel();
    for word in ["one\n", "two\n"] {
        visitor.send(word).await;
        assert_eq!(visitor.until("\n").await, word);
    }
    assert!(!scene.served.is_finished());
    drop(visitor);
    ended(scene).await;
}

#[tokio::test]
async fn what_lasts_longer_than_the_end_may_is_cut_off() {
    let limit = Duration::from_millis(200);
    let scene = Scene::ending(PlainHttp::Serve, Drain::within(limit)).await;
    let (tool, chat) = (
        Tool::new(|_| std::future::pending::<Response<_>>()).await,
        echo().await,
    );
    scene.route("alpha", &[tool.address]);
    let mut waiting = scene.raw("alpha").await;
    waiting.send(ASKED).await;
    scene.route("beta", &[chat.address]);
    let mut visitor = scene.raw("beta").await;
    visitor.send(&UPGRADE.replace("alpha", "beta")).await;
    visitor.head().await;
    let mut silent = scene.raw_plain().await;
    scene.shutdown.cancel();
    for connection in [&mut waiting, &mut visitor] {
        assert_eq!(connection.end().await, "");
    }
    assert_eq!(silent.end().await, "");
    ended(scene).await;
}
