//! The node's own API: the logs of containers, for the cluster's API only.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Query as Parameters, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures::StreamExt as _;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;
use toolforge_pki::{Certified, Identity, read_certificate_der, server_config};
use toolforge_serve::Peer;

use crate::{
    error::NodeError,
    logs::{LogStore, NoLog, Query, follow},
};

/// Who the cluster's API is.
const API: &str = "kube-apiserver-kubelet-client";
/// Who may do everything.
const ADMINS: &str = "system:masters";
/// How many pieces of a log wait for a slow reader.
const WAITING: usize = 4;

#[derive(Debug, Clone)]
struct Server {
    logs: Arc<LogStore>,
    shutdown: CancellationToken,
}

/// Serves until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    identity: &Identity,
    client_ca_pem: &str,
    logs: Arc<LogStore>,
    shutdown: CancellationToken,
) -> Result<(), NodeError> {
    let tls = server_config(identity, Some(client_ca_pem))?;
    let router = router(Server {
        logs,
        shutdown: shutdown.clone(),
    });
    toolforge_serve::serve(listener, Some(Arc::new(tls)), router, shutdown)
        .await
        .map_err(NodeError::Serve)
}

fn router(server: Server) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(container_log))
        .with_state(server)
}

async fn container_log(
    State(server): State<Server>,
    Extension(peer): Extension<Peer>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    query: Result<Parameters<Query>, QueryRejection>,
) -> Response {
    let certificate = peer.certificate.and_then(|der| read_certificate_der(&der).ok());
    if !certificate.as_ref().is_some_and(may_read) {
        return (
            StatusCode::FORBIDDEN,
            "only the cluster's API may read logs here; ask it instead",
        )
            .into_response();
    }
    let Parameters(query) = match query {
        Ok(query) => query,
        Err(error) => return (StatusCode::BAD_REQUEST, error.body_text()).into_response(),
    };
    // Looking through folders blocks for a moment.
    let (logs, previous) = (server.logs, query.previous);
    let found = tokio::task::spawn_blocking(move || logs.find(&namespace, &pod, &container, previous)).await;
    let log = match found {
        Ok(Ok(log)) => log,
        Ok(Err(none)) => return (code(&none), none.to_string()).into_response(),
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    let (out, pieces) = mpsc::channel(WAITING);
    tokio::spawn(follow(log, query, out));
    let pieces = futures::stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((piece, pieces))
    });
    let body = Body::from_stream(pieces.take_until(server.shutdown.cancelled_owned()));
    ([(header::CONTENT_TYPE, "text/plain")], body).into_response()
}

fn may_read(certificate: &Certified) -> bool {
    certificate.common_name == API || certificate.organizations.iter().any(|group| group == ADMINS)
}

fn code(none: &NoLog) -> StatusCode {
    match none {
        NoLog::Pod(_) | NoLog::Container { .. } => StatusCode::NOT_FOUND,
        NoLog::Waiting { .. } | NoLog::Previous { .. } => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests;
