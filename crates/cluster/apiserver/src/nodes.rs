//! Requests from the API to nodes, over mutual TLS: the logs of containers, and connections to what runs in them.

use std::sync::Arc;

use axum::body::Body as Streamed;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use toolforge_kinds::Status;

use crate::dial::{self, Problem};

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
        let mut target = format!("{path}?");
        for (name, value) in query {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            target.extend([*name, "=", &value.to_string(), "&"]);
        }
        target.pop();
        let request = Request::get(target)
            .body(Empty::<Bytes>::new())
            .map_err(|problem| Status::bad_request(format!("cannot ask the node: {problem}")))?;
        let answer = self.send(node, request).await?;
        if answer.status() != StatusCode::OK {
            return Err(refusal(answer).await);
        }
        let content_type = answer.headers().get(header::CONTENT_TYPE).cloned();
        let body = answer
            .into_body()
            .into_data_stream()
            .take_until(closing.cancelled_owned());
        let mut response = Response::new(Streamed::from_stream(body));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            content_type.unwrap_or(HeaderValue::from_static("text/plain")),
        );
        Ok(response)
    }

    /// Asks a node to hand the connection over; answers with its consent.
    pub(crate) async fn upgrade(
        &self,
        node: &Value,
        request: Request<Empty<Bytes>>,
    ) -> Result<http::Response<Incoming>, Status> {
        let answer = self.send(node, request).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            Ok(answer)
        } else {
            Err(refusal(answer).await)
        }
    }

    /// Asks a node anything, with the rights of the API.
    pub(crate) async fn send<B>(
        &self,
        node: &Value,
        mut request: Request<B>,
    ) -> Result<http::Response<Incoming>, Status>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Problem>,
    {
        let (host, port) = address(node).ok_or_else(|| {
            Status::internal(format!(
                "node {} has no address",
                crate::metadata::text(node, "name")
            ))
        })?;
        let unreachable = |problem: &dyn std::fmt::Display| {
            Status::internal(format!("error dialing the node at {host}:{port}: {problem}"))
        };
        let own_name =
            HeaderValue::try_from(format!("{host}:{port}")).map_err(|problem| unreachable(&problem))?;
        request.headers_mut().insert(header::HOST, own_name);
        let mut sender = self
            .connect(&host, port)
            .await
            .map_err(|problem| unreachable(&problem))?;
        sender
            .send_request(request)
            .await
            .map_err(|problem| unreachable(&problem))
    }

    async fn connect<B>(&self, host: &str, port: u16) -> Result<SendRequest<B>, Problem>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Problem>,
    {
        let stream = dial::tcp((host, port)).await?;
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await?;
        dial::http(stream).await
    }
}

/// A node's refusal as ours: its own Status where it sent one.
async fn refusal(answer: http::Response<Incoming>) -> Status {
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
pub(crate) fn address(node: &Value) -> Option<(String, u16)> {
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
