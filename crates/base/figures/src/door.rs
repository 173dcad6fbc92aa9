//! `/metrics` over HTTP.

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Process;

/// The form of the figures.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Connections at once: Prometheus and the kubelet have one each.
const CONNECTIONS: usize = 64;

/// All figures of a registry, as Prometheus reads them.
pub fn answer(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Where a component tells its figures that has no other door for operators.
#[derive(Debug)]
pub struct Door {
    /// Where it is asked, over plain HTTP.
    pub listener: TcpListener,
    /// Whether it tells of the process.
    pub process: Process,
}

impl Door {
    /// Tells what is in `registry` until `shutdown`: `/metrics`, and `/healthz` that answers as long as the process does.
    /// Read only, and nothing secret is in it.
    pub async fn serve(self, mut registry: Registry, shutdown: CancellationToken) {
        self.process.register(&mut registry);
        serve(self.listener, registry, shutdown).await;
    }
}

async fn serve(listener: TcpListener, registry: Registry, shutdown: CancellationToken) {
    let registry = Arc::new(registry);
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/metrics", get(move || async move { answer(&registry) }));
    if let Err(error) = toolforge_serve::serve_at_most(CONNECTIONS, listener, None, router, shutdown).await {
        tracing::error!(%error, "metrics are not served any more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn figures_are_told_in_the_form_that_prometheus_asks_for() {
        toolforge_pki::install_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let door = Door {
            listener,
            process: Process::Own,
        };
        let served = tokio::spawn(door.serve(Registry::default(), stop.clone()));
        let health = reqwest::get(format!("http://{address}/healthz")).await.unwrap();
        assert_eq!(health.text().await.unwrap(), "ok");
        let figures = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
        assert_eq!(figures.headers()[CONTENT_TYPE], OPEN_METRICS);
        let text = figures.text().await.unwrap();
        assert!(
            text.contains("\nprocess_open_fds ") && text.ends_with("# EOF\n"),
            "{text}"
        );
        stop.cancel();
        served.await.unwrap();
    }
}
