//! Plain HTTP leads to HTTPS, and says whether the gateway lives.

use toolforge_gateway::PlainHttp;

use crate::{
    scene::{PUBLIC_PORT, Scene},
    tools::Tool,
};

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

#[tokio::test]
async fn tools_are_served_without_tls_where_that_is_wanted() {
    let (scene, tool) = (Scene::with(PlainHttp::Serve).await, Tool::mirror().await);
    scene.route("alpha", &[tool.address]);
    let host = format!("alpha.toolforge.test:{}", scene.http.port());
    let request =
        format!("GET /x HTTP/1.1\r\nhost: {host}\r\nx-forwarded-proto: https\r\nconnection: close\r\n\r\n");
    // Nobody is believed who is not trusted.
    let answer = ask(&scene, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.contains("strict-transport-security"), "{answer}");
    let port = format!("x-forwarded-port: {}\n", scene.http.port());
    for line in ["GET /x\n", "x-forwarded-proto: http\n", &port] {
        assert!(answer.contains(line), "{line} is missing in {answer}");
    }
    // Who is told of visitors is told how they came.
    scene.settings("visitorAddressesFor: [alpha]\n");
    let answer = ask(&scene, &request).await;
    assert!(
        answer.contains("forwarded: for=127.0.0.1;proto=http\n"),
        "{answer}"
    );
    scene.settings("trustedProxies: [127.0.0.1]\n");
    let answer = ask(&scene, &request).await;
    assert!(answer.contains("strict-transport-security"), "{answer}");
    for line in [
        "x-forwarded-proto: https\n",
        &format!("x-forwarded-port: {PUBLIC_PORT}\n"),
    ] {
        assert!(answer.contains(line), "{line} is missing in {answer}");
    }
}
