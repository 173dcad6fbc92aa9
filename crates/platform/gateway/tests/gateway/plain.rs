//! Plain HTTP leads to HTTPS, and says whether the gateway lives.

use crate::scene::{PUBLIC_PORT, Scene};

async fn ask(scene: &Scene, request: &str) -> String {
    let mut visitor = scene.raw_plain().await;
    visitor.send(request).await;
    visitor.end().await
}

#[tokio::test]
async fn every_method_is_redirected_with_host_and_query() {
    let scene = Scene::new().await;
    for (method, status) in [("GET", 301), ("HEAD", 301), ("POST", 308)] {
        let request =
            format!("{method} /x?y=z HTTP/1.1\r\nhost: alpha.toolforge.test\r\nconnection: close\r\n\r\n");
        let answer = ask(&scene, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        let location = format!("location: https://alpha.toolforge.test:{PUBLIC_PORT}/x?y=z\r\n");
        assert!(answer.contains(&location), "{answer}");
    }
}

#[tokio::test]
async fn health_is_answered_and_a_request_without_host_is_not() {
    let scene = Scene::new().await;
    let health = "GET /.well-known/healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = ask(&scene, health).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nproxy ok!"),
        "{answer}"
    );
    for request in [
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ] {
        let answer = ask(&scene, request).await;
        assert!(answer.contains(" 400 "), "{answer}");
    }
}

#[tokio::test]
async fn host_that_is_not_ours_is_redirected_nowhere() {
    let scene = Scene::new().await;
    for host in [
        "evil.test",
        "eviltoolforge.test",
        "alpha.toolforge.test.evil.test",
    ] {
        let answer = ask(
            &scene,
            &format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
        )
        .await;
        assert!(
            answer.starts_with("HTTP/1.1 404 ") && !answer.contains("location"),
            "{answer}"
        );
    }
}
