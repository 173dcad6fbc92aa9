//! Requests from the API to nodes: the logs of containers, over mutual TLS.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use toolforge_kinds::Status;

/// How long a node has to take a connection: it is near.
const CONNECT: Duration = Duration::from_secs(10);
/// Largest error answer of a node that is read, in bytes.
const ERROR_BYTES: usize = 64 << 10;
/// The port of a node that names none; kubelet's.
const DEFAULT_PORT: u16 = 10250;

/// The way to nodes.
#[derive(Clone)]
pub(crate) struct Nodes {
    tls: Arc<rustls::ClientConfig>,
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").finish_non_exhaustive()
    }
}

impl Nodes {
    /// Speaks to nodes with this configuration, which holds the API's client certificate.
    pub(crate) fn new(mut tls: rustls::ClientConfig) -> Self {
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { tls: Arc::new(tls) }
    }

    /// Streams the answer of a node, until it ends or `closing`.
    pub(crate) async fn stream(
        &self,
        node: &Value,
        path: &str,
        query: &[(&str, &str)],
        closing: CancellationToken,
    ) -> Result<Response, Status> {
        let (host, port) = address(node).ok_or_else(|| {
            Status::internal(format!(
                "node {} has no address",
                crate::metadata::text(node, "name")
            ))
        })?;
        let unreachable = |problem: &dyn std::fmt::Display| {
            Status::internal(format!("error dialing the node at {host}:{port}: {problem}"))
        };
        let connection = tokio::time::timeout(CONNECT, self.connect(&host, port));
        let mut sender = connection
            .await
            .map_err(|_| unreachable(&"no answer in time"))?
            .map_err(|problem| unreachable(&problem))?;
        let mut target = format!("{path}?");
        for (name, value) in query {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            target.extend([*name, "=", &value.to_string(), "&"]);
        }
        target.pop();
        let request = Request::get(target)
            .header(header::HOST, format!("{host}:{port}"))
            .body(Empty::<Bytes>::new())
            .map_err(|problem| Status::bad_request(format!("cannot ask the node: {problem}")))?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(|problem| unreachable(&problem))?;
        if answer.status() != StatusCode::OK {
            return Err(refusal(answer).await);
        }
        let content_type = answer.headers().get(header::CONTENT_TYPE).cloned();
        let body = answer
            .into_body()
            .into_data_stream()
            .take_until(closing.cancelled_owned());
        let mut response = Response::new(Body::from_stream(body));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            content_type.unwrap_or(header::HeaderValue::from_static("text/plain")),
        );
        Ok(response)
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> Result<hyper::client::conn::http1::SendRequest<Empty<Bytes>>, Box<dyn std::error::Error + Send + Sync>>
    {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(problem) = connection.await {
                tracing::debug!(%problem, "connection to a node ended");
            }
        });
        Ok(sender)
    }
}

/// A node's refusal as ours: its own Status where it sent one.
async fn refusal(answer: http::Response<hyper::body::Incoming>) -> Status {
    let code = answer.status().as_u16();
    let bytes = Limited::new(answer.into_body(), ERROR_BYTES)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let status: Option<Value> = serde_json::from_slice(&bytes).ok();
    let message = status
        .as_ref()
        .and_then(|status| status.get("message"))
        .and_then(Value::as_str)
        .map_or_else(
            || String::from_utf8_lossy(&bytes).trim().to_owned(),
            str::to_owned,
        );
    let reason = match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        _ => "InternalError",
    };
    Status::custom(code, reason, message, None)
}

/// The address and port at which a node takes requests.
fn address(node: &Value) -> Option<(String, u16)> {
    let list = node.pointer("/status/addresses")?.as_array()?;
    let of = |wanted: &str| {
        list.iter()
            .find(|found| found.get("type").and_then(Value::as_str) == Some(wanted))
            .and_then(|found| found.get("address")?.as_str())
    };
    let host = of("InternalIP")
        .or_else(|| of("Hostname"))
        .or_else(|| of("ExternalIP"))?;
    let port = node
        .pointer("/status/daemonEndpoints/kubeletEndpoint/Port")
        .and_then(Value::as_u64)
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(DEFAULT_PORT);
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_the_address_of_a_node() {
        let node = json!({"status":{
            "addresses":[{"type":"Hostname","address":"n"},{"type":"InternalIP","address":"127.0.0.1"}],
            "daemonEndpoints":{"kubeletEndpoint":{"Port":10251}}}});
        assert_eq!(address(&node), Some(("127.0.0.1".to_owned(), 10251)));
        assert_eq!(address(&json!({"status":{"addresses":[]}})), None);
    }
}
