//! `/containerLogs`: what a container wrote.

use axum::{
    body::Body,
    extract::{Path, Query as Parameters, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;
use tokio::sync::mpsc;

use super::Server;
use crate::{
    logs::{NoLog, Query, follow},
    runtime::Runtime,
};

/// How many pieces of a log wait for a slow reader.
const WAITING: usize = 4;

pub(super) async fn container_log<R: Runtime>(
    State(server): State<Server<R>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    query: Result<Parameters<Query>, QueryRejection>,
) -> Response {
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

fn code(none: &NoLog) -> StatusCode {
    match none {
        NoLog::Pod(_) | NoLog::Container { .. } => StatusCode::NOT_FOUND,
        NoLog::Waiting { .. } | NoLog::Previous { .. } => StatusCode::BAD_REQUEST,
    }
}
