//! The node's own API, for the cluster's API only: the logs of containers, commands in them, their ports; and what they use,
//! for who may see it. Its paths and words are kubelet's.

mod answer;
mod commands;
mod door;
mod figures;
mod forward;
mod logs;
mod query;
mod silence;

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
pub(crate) use door::Door;
pub use figures::FAMILIES;
pub(crate) use figures::Meter;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_pki::{Identity, server_config};

use crate::{error::NodeError, logs::LogStore, runtime::Runtime};

/// What the paths work with.
pub(crate) struct Server<R> {
    runtime: Arc<R>,
    logs: Arc<LogStore>,
    meter: Arc<Meter>,
    door: Door,
    session_silence: Duration,
    shutdown: CancellationToken,
}

impl<R> Server<R> {
    /// A server of these, until `shutdown`, that ends sessions which are silent for so long.
    pub(crate) fn new(
        runtime: Arc<R>,
        logs: Arc<LogStore>,
        meter: Meter,
        door: Door,
        session_silence: Duration,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            runtime,
            logs,
            meter: Arc::new(meter),
            door,
            session_silence,
            shutdown,
        }
    }
}

impl<R> Clone for Server<R> {
    fn clone(&self) -> Self {
        Self {
            runtime: self.runtime.clone(),
            logs: self.logs.clone(),
            meter: self.meter.clone(),
            door: self.door.clone(),
            session_silence: self.session_silence,
            shutdown: self.shutdown.clone(),
        }
    }
}

impl<R> fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// Serves until the server's shutdown.
pub(crate) async fn serve<R: Runtime>(
    listener: TcpListener,
    identity: &Identity,
    client_ca_pem: &str,
    server: Server<R>,
) -> Result<(), NodeError> {
    let tls = server_config(identity, Some(client_ca_pem))?;
    let shutdown = server.shutdown.clone();
    toolforge_serve::serve(listener, Some(Arc::new(tls)), router(server), shutdown)
        .await
        .map_err(NodeError::Serve)
}

fn router<R: Runtime>(server: Server<R>) -> Router {
    let exec = get(commands::exec::<R>).post(commands::exec::<R>);
    let attach = get(commands::attach::<R>).post(commands::attach::<R>);
    let forward = get(forward::forward::<R>).post(forward::forward::<R>);
    let figures = Router::new()
        .route("/metrics", get(figures::own::<R>))
        .route("/metrics/resource", get(figures::resource::<R>))
        .route("/metrics/cadvisor", get(figures::cadvisor::<R>))
        .route_layer(from_fn_with_state(server.door.clone(), door::who_may_look));
    Router::new()
        .route(
            "/containerLogs/{namespace}/{pod}/{container}",
            get(logs::container_log::<R>),
        )
        .route("/exec/{namespace}/{pod}/{container}", exec)
        .route("/attach/{namespace}/{pod}/{container}", attach)
        .route("/portForward/{namespace}/{pod}", forward)
        .route("/stats/summary", get(figures::summary::<R>))
        .route_layer(from_fn(door::only_the_api))
        .merge(figures)
        .route("/healthz", get(|| async { "ok" }))
        .with_state(server)
}

#[cfg(test)]
mod tests;
