//! Visitors that come through a proxy which writes PROXY headers.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_rustls::TlsConnector;

use crate::{
    scene::{Raw, Scene},
    tools::{Tool, text},
};

const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xcb\0\x71\x09\xc6\x33\x64\x02\xdc\x04\x01\xbb\x04\0\0";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const LINE: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.2 56324 443\r\n";

/// A gateway that tells the tool alpha its visitors' addresses, and this of proxies.
async fn scene(settings: &str) -> (Scene, Tool) {
    let scene = Scene::new().await;
    let tool = Tool::new(|request| async move {
        let said = request.headers().get("x-forwarded-for");
        text(said.map_or("nobody", |said| said.to_str().unwrap()).to_owned())
    })
    .await;
    scene.route("alpha", &[tool.address]);
    scene.settings(&format!("visitorAddressesFor: [alpha]\n{settings}"));
    (scene, tool)
}

/// Asks over TLS, after these bytes; the answer, or nothing when the connection was closed before there was one.
async fn ask(scene: &Scene, before: &[&[u8]]) -> Option<String> {
    let mut stream = TcpStream::connect(scene.https).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for bytes in before {
        stream.write_all(bytes).await.unwrap();
    }
    let name = ServerName::try_from(Scene::host("alpha")).unwrap();
    let connector = TlsConnector::from(Arc::new(scene.client_config()));
    let mut visitor = Raw::new(connector.connect(name, stream).await.ok()?);
    let host = Scene::host("alpha");
    visitor
        .send(&format!(
            "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ))
        .await;
    Some(visitor.end().await)
}

fn is_from(answer: Option<String>, address: &str) {
    let answer = answer.expect("there is an answer");
    assert!(answer.ends_with(&format!("\r\n\r\n{address}")), "{answer}");
}

#[tokio::test]
async fn a_trusted_proxy_says_in_both_versions_who_the_visitor_is() {
    let (scene, _tool) = scene("proxyProtocol: { https: [127.0.0.0/8] }").await;
    is_from(ask(&scene, &[LINE]).await, "203.0.113.9");
    is_from(ask(&scene, &[BINARY]).await, "203.0.113.9");
    // In pieces, cut in the middle of everything.
    for header in [LINE, BINARY] {
        let pieces: Vec<&[u8]> = header.chunks(1).collect();
        is_from(ask(&scene, &pieces).await, "203.0.113.9");
    }
    is_from(
        ask(&scene, &[b"PROXY TCP6 2001:db8::7 2001:db8::1 1 443\r\n"]).await,
        "2001:db8::7",
    );
    is_from(
        ask(&scene, &[b"PROXY TCP6 ::ffff:203.0.113.8 ::1 1 443\r\n"]).await,
        "203.0.113.8",
    );
    // The proxy for itself.
    is_from(ask(&scene, &[LOCAL]).await, "127.0.0.1");
    is_from(ask(&scene, &[b"PROXY UNKNOWN\r\n"]).await, "127.0.0.1");
}

#[tokio::test]
async fn a_trusted_proxy_without_a_header_and_a_stranger_with_one_get_nowhere() {
    let (scene, tool) = scene("proxyProtocol: { https: [127.0.0.0/8] }").await;
    for before in [
        &b""[..],
        b"PROXY TCP4 203.0.113.9\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ] {
        assert_eq!(ask(&scene, &[before]).await, None, "{}", before.escape_ascii());
    }
    for settings in ["", "proxyProtocol: { https: [192.0.2.0/24], http: [127.0.0.1] }"] {
        scene.settings(&format!("visitorAddressesFor: [alpha]\n{settings}"));
        assert_eq!(
            ask(&scene, &[LINE]).await,
            None,
            "who may not say so is not believed"
        );
        is_from(ask(&scene, &[]).await, "127.0.0.1");
    }
    assert_eq!(tool.connections(), 1, "only what came without a header");
}

#[tokio::test]
async fn bans_are_for_the_visitor_behind_the_proxy_and_the_plain_door_has_its_own_setting() {
    let (scene, _tool) = scene("bannedAddresses: [203.0.113.9]\nproxyProtocol: { http: [127.0.0.1] }").await;
    for (header, status) in [
        ("PROXY TCP4 203.0.113.9 198.51.100.2 56324 80\r\n", 403),
        ("PROXY TCP4 203.0.113.8 198.51.100.2 56324 80\r\n", 301),
    ] {
        let mut visitor = scene.raw_plain().await;
        let host = Scene::host("alpha");
        visitor
            .send(&format!(
                "{header}GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
            ))
            .await;
        let answer = visitor.end().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}
