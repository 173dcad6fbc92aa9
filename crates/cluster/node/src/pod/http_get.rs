//! HTTP requests of probes and hooks, with and without TLS.

use std::{io, net::Ipv4Addr};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{
    check::{host, port},
    dial,
};

/// What the node calls itself when it probes.
pub(super) const PROBE_AGENT: &str = "kube-probe/1.37";
/// And when it runs hooks.
const HOOK_AGENT: &str = "kube-lifecycle/1.37";

/// Asks once; a redirect is an answer, as for kubelet.
pub(super) async fn probe(
    container: &Container,
    get: &HTTPGetAction,
    address: Ipv4Addr,
) -> Result<(), String> {
    let status = ask(container, get, address, PROBE_AGENT).await?;
    if (200..400).contains(&status) {
        Ok(())
    } else {
        Err(format!("HTTP probe failed with statuscode: {status}"))
    }
}

/// Tells a hook; any answer will do.
pub(super) async fn hook(
    container: &Container,
    get: &HTTPGetAction,
    address: Ipv4Addr,
) -> Result<(), String> {
    ask(container, get, address, HOOK_AGENT).await.map(drop)
}

async fn ask(
    container: &Container,
    get: &HTTPGetAction,
    address: Ipv4Addr,
    agent: &str,
) -> Result<u16, String> {
    let secure = get.scheme.as_deref() == Some("HTTPS");
    let (host, port) = (host(get.host.as_deref(), address), port(container, &get.port)?);
    let path = get.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let scheme = if secure { "https" } else { "http" };
    let failed = |error: &dyn std::fmt::Display| format!("Get \"{scheme}://{host}:{port}{path}\": {error}");
    let request = request(get, &host, port, path, agent).map_err(|error| failed(&error))?;
    let sent = async {
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if secure {
            send(dial::secure(stream, &host, &[]).await?, request).await
        } else {
            send(stream, request).await
        }
    };
    sent.await.map_err(|error| failed(&error))
}

fn request(
    get: &HTTPGetAction,
    host: &str,
    port: u16,
    path: &str,
    agent: &str,
) -> Result<Request<Empty<Bytes>>, http::Error> {
    let mut request = Request::get(path);
    let own = get.http_headers.as_deref().unwrap_or_default();
    let has = |name: &str| own.iter().any(|header| header.name.eq_ignore_ascii_case(name));
    if !has("host") {
        request = request.header(header::HOST, format!("{host}:{port}"));
    }
    if !has("user-agent") {
        request = request.header(header::USER_AGENT, agent);
    }
    for header in own {
        request = request.header(header.name.as_str(), header.value.as_str());
    }
    request.header(header::CONNECTION, "close").body(Empty::new())
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Empty<Bytes>>,
) -> io::Result<u16> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let answer = async move { sender.send_request(request).await };
    // The connection is driven only as long as its answer is awaited, and ends with it.
    tokio::pin!(connection);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer.map(|answer| answer.status().as_u16()).map_err(io::Error::other),
        ended = &mut connection => {
            ended.map_err(io::Error::other)?;
            answer.await.map(|answer| answer.status().as_u16()).map_err(io::Error::other)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_says_who_asks_unless_the_pod_says_so() {
        let get: HTTPGetAction = serde_json::from_value(json!({"port": 80,
            "httpHeaders": [{"name": "Host", "value": "tool.example"}]}))
        .expect("action");
        let request = request(&get, "127.64.0.2", 80, "/x", PROBE_AGENT).expect("request");
        assert_eq!(request.headers()[header::HOST], "tool.example");
        assert_eq!(request.headers()[header::USER_AGENT], PROBE_AGENT);
        assert_eq!(request.uri().path(), "/x");
    }

    #[tokio::test]
    async fn a_server_with_a_certificate_of_its_own_is_answer_enough() {
        toolforge_pki::install_provider();
        let authority = toolforge_pki::Authority::create("of the Pod").expect("authority");
        let identity = authority.issue_server(&["pod.example"]).expect("identity");
        let config = toolforge_pki::server_config(&identity, None).expect("config");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("listener");
        let port = listener.local_addr().expect("address").port();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut stream = acceptor.accept(stream).await.expect("TLS");
            let mut chunk = [0; 1024];
            tokio::io::AsyncReadExt::read(&mut stream, &mut chunk)
                .await
                .expect("a request");
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
                .await
                .expect("sent");
            tokio::io::AsyncWriteExt::shutdown(&mut stream)
                .await
                .expect("closed");
        });
        let get = json!({"port": port, "scheme": "HTTPS"});
        let get = serde_json::from_value(get).expect("action");
        let asked = probe(&Container::default(), &get, Ipv4Addr::LOCALHOST).await;
        assert_eq!(asked, Ok(()));
        server.await.expect("served");
    }
}
