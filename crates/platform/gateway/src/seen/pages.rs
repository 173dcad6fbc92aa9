//! What a gateway tells operators and Prometheus, on a listener of its own. Plain HTTP, read only: it says how much is asked,
//! how tools' endpoints are doing, and otherwise nothing that visitors could not find out.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_figures::Process;

use crate::{Shared, certificates::Certificates};

use super::{explained, health::Health, metrics, overview::overview, tally::Tally};

/// Connections at once: Prometheus and the kubelet have one each.
const CONNECTIONS: usize = 64;

/// All that there is to see.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) health: Arc<Health>,
    pub(crate) tallies: Arc<[Arc<Tally>]>,
    pub(crate) shared: Shared,
    /// Where webservices may register.
    pub(crate) registrations: Option<toolforge_registrations::Seen>,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) process: Process,
    pub(crate) started: Timestamp,
}

impl Seen {
    /// What there is to see from now on.
    pub(crate) fn new(
        health: &Arc<Health>,
        tallies: &Arc<[Arc<Tally>]>,
        shared: &Shared,
        registrations: Option<toolforge_registrations::Seen>,
        certificates: &Arc<Certificates>,
        process: Process,
    ) -> Self {
        Self {
            health: health.clone(),
            tallies: tallies.clone(),
            shared: shared.clone(),
            registrations,
            certificates: certificates.clone(),
            process,
            started: Timestamp::now(),
        }
    }

    /// How it goes in a word, and why it is not ready.
    pub(super) fn state(&self) -> (&'static str, String) {
        match self.health.missing() {
            _ if self.health.is_draining() => {
                ("draining", "no new connections are taken any more".to_owned())
            }
            Some(missing) => ("not ready", format!("the API has not yet listed {missing}")),
            None => ("ready", String::new()),
        }
    }

    pub(super) fn lines_dropped(&self) -> i64 {
        let dropped = self
            .shared
            .access_log
            .load()
            .as_ref()
            .map_or(0, |log| log.dropped());
        i64::try_from(dropped).unwrap_or(i64::MAX)
    }
}

/// Answers on `listener` until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, seen: Seen, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/", get(overview))
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(figures))
        .route(explained::PATH, get(explained::explain))
        .with_state(seen);
    if let Err(error) = toolforge_serve::serve_at_most(CONNECTIONS, listener, None, router, shutdown).await {
        tracing::error!(%error, "health and metrics are not served any more");
    }
}

async fn ready(State(seen): State<Seen>) -> Response {
    match seen.state() {
        ("ready", _) => "ok".into_response(),
        (_, reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn figures(State(seen): State<Seen>) -> Response {
    toolforge_figures::answer(&metrics::registry(&seen))
}
