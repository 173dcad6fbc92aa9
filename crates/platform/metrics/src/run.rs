//! The server as a whole.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolforge_figures::Process;
use toolforge_serve::Presented;

use crate::auth::{self, Door, Trust};
use crate::error::MetricsError;
use crate::own;
use crate::seen::Seen;
use crate::state::{self, State};
use crate::{api, usage};

/// Connections at once: an API server makes some, and anybody who reaches the port can make one.
const CONNECTIONS: usize = 256;

/// What the component needs to know.
#[derive(Debug)]
pub struct Config {
    /// Where it listens, over TLS.
    pub listener: TcpListener,
    /// Its certificate, for `metrics.toolforge-system.svc`.
    pub certificate: Presented,
    /// Whether the figures tell of the process.
    pub process: Process,
}

/// Serves until `shutdown`.
///
/// The client needs [`crate::service_rules`] and the Role `extension-apiserver-authentication-reader` of `kube-system`.
///
/// # Errors
/// When the listener fails, or the API's authorities cannot be used.
pub async fn run(client: Client, config: Config, shutdown: CancellationToken) -> Result<(), MetricsError> {
    let seen = Arc::new(Seen::default());
    let following = usage::follow(client.clone(), seen.clone());
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(following));
    let (state, following) = state::follow(&client, own::registry(&seen.looks, config.process));
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(following));
    let mut trust = auth::follow(client.clone(), shutdown.clone());
    let socket = config.listener.into_std()?;
    let mut serving = None;
    while let Some(current) = next(&mut trust, &shutdown).await {
        let stop = shutdown.child_token();
        let listener = TcpListener::from_std(socket.try_clone()?)?;
        // The API has a new authority at each of its starts; handshakes go by the newest.
        let resolver = config.certificate.server_config().cert_resolver.clone();
        let tls = toolforge_pki::resolving_server_config_for_clients(resolver, &current.bundle())?;
        let door = Door {
            client: client.clone(),
            trust: current,
        };
        let served = toolforge_serve::serve_at_most(
            CONNECTIONS,
            listener,
            Some(Arc::new(tls)),
            router(&seen, &state, door),
            stop.clone(),
        );
        let before = serving.replace((tokio::spawn(served), stop));
        if let Some((_, stop)) = before {
            stop.cancel();
        }
    }
    if let Some((served, _)) = serving {
        served.await.map_err(std::io::Error::other)??;
    }
    Ok(())
}

/// Whom to believe from now on, as soon as that is known or changes; none at the end.
async fn next(
    trust: &mut watch::Receiver<Option<Arc<Trust>>>,
    shutdown: &CancellationToken,
) -> Option<Arc<Trust>> {
    let changed = async {
        loop {
            trust.changed().await.ok()?;
            let current = trust.borrow_and_update().clone();
            if current.is_some() {
                return current;
            }
        }
    };
    shutdown.run_until_cancelled(changed).await.flatten()
}

fn router(seen: &Arc<Seen>, state: &Arc<State>, door: Door) -> Router {
    let ready = seen.clone();
    let state = state.clone();
    let health = || async { "ok" };
    let ready = move || async move {
        if ready.usage.read().is_empty() {
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "no node has told what is used on it yet",
            )
        } else {
            (StatusCode::OK, "ok")
        }
    };
    api::router(seen.clone())
        .route(
            "/metrics",
            get(move |headers: HeaderMap| async move { state::page(&state, &headers) }),
        )
        .route("/healthz", get(health))
        .route("/livez", get(health))
        .route("/readyz", get(ready))
        .layer(from_fn_with_state(door, auth::admit))
}
