//! `/list`: which tools have registered, as the original's proxies told each other and the tools' status pages, over plain
//! HTTP on a listener of its own (facts 5.2).

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_model::ToolName;
use toolforge_serve::Peer;

use crate::{Event, limits::API_CONNECTIONS, settings::holds, store::Store};

/// What the list says of a tool.
#[derive(Serialize)]
struct Entry {
    status: &'static str,
}

/// Serves until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, store: Arc<Store>, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/list", get(list).fallback(nothing))
        .fallback(nothing)
        .with_state(store);
    if let Err(error) =
        toolforge_serve::serve_at_most(API_CONNECTIONS, listener, None, router, shutdown).await
    {
        tracing::error!(%error, "the list of registrations is not served any more");
    }
}

async fn list(State(store): State<Arc<Store>>, Extension(peer): Extension<Peer>) -> Response {
    if !is_let_in(&store, &peer) {
        return refusal();
    }
    let tools: BTreeMap<ToolName, Entry> = store
        .tools()
        .into_iter()
        .map(|tool| (tool, Entry { status: "active" }))
        .collect();
    match serde_json::to_string(&tools) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn nothing(State(store): State<Arc<Store>>, Extension(peer): Extension<Peer>) -> Response {
    if !is_let_in(&store, &peer) {
        return refusal();
    }
    (StatusCode::NOT_FOUND, "Page not found").into_response()
}

fn is_let_in(store: &Store, peer: &Peer) -> bool {
    let address = peer.address.ip().to_canonical();
    let is_in = holds(&store.rules().list_networks, address);
    if !is_in {
        tracing::debug!(%address, "turned away: it is in none of registrations.listNetworks");
        store.figures.happened(Event::TurnedAway);
    }
    is_in
}

fn refusal() -> Response {
    (StatusCode::FORBIDDEN, "Forbidden").into_response()
}
