//! What a gateway tells operators and Prometheus, on a listener of its own. Plain HTTP, read only: it says nothing that
//! visitors could not find out, and how much is asked.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
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
use toolforge_routing::RouteTable;

use crate::{Shared, certificates::Certificates};

use super::{access_log::AccessLog, health::Health, metrics, overview::overview, tally::Tally};

/// Connections at once: Prometheus and the kubelet have one each.
const CONNECTIONS: usize = 64;

/// All that there is to see.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) health: Arc<Health>,
    pub(crate) tallies: Arc<[Arc<Tally>]>,
    pub(crate) table: Arc<ArcSwap<RouteTable>>,
    pub(crate) access_log: Arc<ArcSwapOption<AccessLog>>,
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
            table: shared.table.clone(),
            access_log: shared.access_log.clone(),
            registrations,
            certificates: certificates.clone(),
            process,
            started: Timestamp::now(),
        }
    }

    pub(super) fn lines_dropped(&self) -> i64 {
        let dropped = self.access_log.load().as_ref().map_or(0, |log| log.dropped());
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
        .with_state(seen);
    if let Err(error) = toolforge_serve::serve_at_most(CONNECTIONS, listener, None, router, shutdown).await {
        tracing::error!(%error, "health and metrics are not served any more");
    }
}

async fn ready(State(seen): State<Seen>) -> Response {
    if seen.health.is_draining() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "no new connections are taken any more\n",
        )
            .into_response();
    }
    match seen.health.missing() {
        None => "ok".into_response(),
        Some(missing) => {
            let reason = format!("the API has not yet listed {missing}\n");
            (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
        }
    }
}

async fn figures(State(seen): State<Seen>) -> Response {
    toolforge_figures::answer(&metrics::registry(&seen))
}
