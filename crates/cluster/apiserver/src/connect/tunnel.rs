//! From a client's upgrade to a connection that two parties share: after the upgrade the API only passes bytes on.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio_util::sync::CancellationToken;
use toolforge_kinds::Status;

use crate::authz::open::Held;

/// Where SPDY clients and servers agree on what they speak.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// What an upgrade request says about the protocol, and nothing else.
static ASKED: [HeaderName; 6] = [
    CONNECTION,
    UPGRADE,
    STREAM_PROTOCOL,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    SEC_WEBSOCKET_PROTOCOL,
];
/// What the answer to one says about it.
static ANSWERED: [HeaderName; 6] = [
    CONNECTION,
    UPGRADE,
    STREAM_PROTOCOL,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_EXTENSIONS,
];

/// The same upgrade, asked of a node.
pub(super) fn request(client: &Request<Body>, target: &str) -> Result<Request<Empty<Bytes>>, Status> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = client.method().clone();
    *request.uri_mut() = target
        .parse()
        .map_err(|problem| Status::bad_request(format!("cannot ask the node: {problem}")))?;
    copy(&ASKED, client.headers(), request.headers_mut());
    Ok(request)
}

fn copy(names: &[HeaderName], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names {
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}

/// What ends a connection besides its two sides: the right to it, or else the API.
pub(crate) struct Ends {
    ends: CancellationToken,
    held: Option<Arc<Held>>,
}

impl Ends {
    /// Of a request that is allowed, to an API that ends with `closing`.
    pub(crate) fn of(closing: &CancellationToken, request: &Request<Body>) -> Self {
        let held = request.extensions().get::<Arc<Held>>().cloned();
        let right = held.as_ref().map(|held| held.ends());
        Self {
            ends: right.unwrap_or_else(|| closing.clone()),
            held,
        }
    }
}

/// Hands the answer of the other side to the client, and then the connection, until one of them ends it or `until`.
pub(crate) fn join(client: OnUpgrade, mut answer: http::Response<Incoming>, until: Ends) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    copy(&ANSWERED, answer.headers(), response.headers_mut());
    let other = hyper::upgrade::on(&mut answer);
    tokio::spawn(async move {
        let Ends { ends, held } = until;
        let both = async { tokio::try_join!(client, other) };
        match ends.run_until_cancelled(both).await {
            Some(Ok((client, other))) => {
                ends.run_until_cancelled(toolforge_streams::join(client, other))
                    .await;
            }
            Some(Err(problem)) => tracing::debug!(%problem, "a connection was not handed over"),
            None => {}
        }
        drop(held);
    });
    response
}
