//! Servers as their clients meet them: over plain HTTP and mutual TLS, and while they stop.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use axum::{
    Extension, Router,
    routing::{get, post},
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use toolforge_pki::{Authority, read_certificate_der, server_config};
use toolforge_serve::{Peer, Presented, serve, serve_at_most};

async fn who(Extension(peer): Extension<Peer>) -> String {
    peer.certificate.map_or_else(
        || "nobody".to_owned(),
        |der| read_certificate_der(&der).unwrap().common_name,
    )
}

#[tokio::test]
async fn a_request_knows_the_certificate_of_its_peer() {
    let authority = Authority::create("test authority").unwrap();
    let server = authority.issue_server(&["127.0.0.1"]).unwrap();
    let client = authority.issue_client("ada", &[]).unwrap();
    let tls = Arc::new(server_config(&server, Some(authority.certificate_pem())).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let router = Router::new().route("/", get(who));
    let serving = tokio::spawn(serve(listener, Some(tls), router, shutdown.clone()));

    let trust = reqwest::Certificate::from_pem(authority.certificate_pem().as_bytes()).unwrap();
    let builder = || {
        reqwest::Client::builder()
            .use_rustls_tls()
            .add_root_certificate(trust.clone())
    };
    let pem = format!("{}{}", client.certificate_pem, client.key_pem);
    let known = builder()
        .identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap())
        .build()
        .unwrap();
    let answer = known.get(&url).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "ada");
    let unknown = builder().build().unwrap();
    assert_eq!(
        unknown.get(&url).send().await.unwrap().text().await.unwrap(),
        "nobody"
    );

    shutdown.cancel();
    serving.await.unwrap().unwrap();
    assert!(unknown.get(&url).send().await.is_err());
}

#[tokio::test]
async fn a_request_under_way_is_answered_after_the_stop() {
    toolforge_pki::install_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let (arrived, mut has_arrived) = tokio::sync::mpsc::channel::<()>(1);
    let stop = shutdown.clone();
    let slow = move || async move {
        arrived.send(()).await.unwrap();
        stop.cancelled().await;
        "done"
    };
    let serving = tokio::spawn(serve(
        listener,
        None,
        Router::new().route("/", get(slow)),
        shutdown.clone(),
    ));
    let request = tokio::spawn(reqwest::get(url));
    has_arrived.recv().await.unwrap();
    shutdown.cancel();
    assert_eq!(request.await.unwrap().unwrap().text().await.unwrap(), "done");
    serving.await.unwrap().unwrap();
}

/// Whether a new connection meets a certificate of this authority.
async fn met(url: &str, authority: &Authority) -> Option<()> {
    let tls = toolforge_pki::client_config(authority.certificate_pem(), None).unwrap();
    let client = reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .build()
        .unwrap();
    client.get(url).send().await.ok().map(drop)
}

/// As Kubernetes changes a Secret in a volume: a link to another folder takes the place of the one before.
#[tokio::test]
async fn a_certificate_is_read_again_when_its_files_change() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (
        Authority::create("first").unwrap(),
        Authority::create("second").unwrap(),
    );
    let write = |name: &str, authority: &Authority| {
        let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
        let data = folder.path().join(name);
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("tls.crt"), identity.certificate_pem).unwrap();
        std::fs::write(data.join("tls.key"), identity.key_pem).unwrap();
        let link = folder.path().join("new");
        std::os::unix::fs::symlink(name, &link).unwrap();
        std::fs::rename(link, folder.path().join("..data")).unwrap();
    };
    write("1", &first);
    for file in ["tls.crt", "tls.key"] {
        std::os::unix::fs::symlink(format!("..data/{file}"), folder.path().join(file)).unwrap();
    }
    let shutdown = CancellationToken::new();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let presented = Presented::files(&certificate, &key, shutdown.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", get(async || "here"));
    tokio::spawn(serve(
        listener,
        Some(presented.server_config()),
        router,
        shutdown.clone(),
    ));

    let tls = toolforge_pki::client_config(first.certificate_pem(), None).unwrap();
    let kept = reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .build()
        .unwrap();
    assert_eq!(kept.get(&url).send().await.unwrap().text().await.unwrap(), "here");
    assert!(met(&url, &second).await.is_none());

    // Something that is no certificate changes nothing.
    std::fs::write(folder.path().join("1/tls.crt"), "nonsense").unwrap();
    std::fs::write(folder.path().join("other"), "").unwrap();
    assert!(met(&url, &first).await.is_some());

    write("2", &second);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while met(&url, &second).await.is_none() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the new one is never presented"
        );
    }
    // The connection from before goes on.
    assert_eq!(kept.get(&url).send().await.unwrap().text().await.unwrap(), "here");
    shutdown.cancel();
}

/// How long somebody may be kept waiting by those who hold connections; far less than a silent one may be held.
const PROMPT: std::time::Duration = std::time::Duration::from_secs(10);

#[tokio::test]
async fn who_holds_connections_keeps_nobody_out() {
    toolforge_pki::install_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(async || "here"))
        .route("/take", post(async |body: String| body));
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(serve_at_most(4, listener, None, router, shutdown.clone()));
    let url = format!("http://{address}/");
    let asked = async || {
        // On a connection of its own.
        let answer = reqwest::Client::new().get(&url).send();
        let answer = tokio::time::timeout(PROMPT, answer).await;
        answer
            .expect("nobody is kept waiting")
            .unwrap()
            .text()
            .await
            .unwrap()
    };

    let mut held = Vec::new();
    for said in [
        "",
        "GET / HTTP/1.1\r\nHost:",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nslow",
    ] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            held.push(stream);
        }
        assert_eq!(asked().await, "here", "{said:?}");
    }
    assert_eq!(asked().await, "here");
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
