//! The gateway put together: data plane, control, and what is kept on disk.

use std::{io, mem, path::Path, sync::Arc};

use tokio_util::sync::CancellationToken;
use toolforge_pki::ServerCertificate;
use toolforge_routing::{RouteTable, Settings};

use crate::{
    Config, DataPlaneSettings, Shared,
    behind::{Behind, Heard},
    certificates::Certificates,
    control::load,
    doors::{Indoors, Listeners, Serving, tallies},
    limits::API_PATIENCE,
    outside::{Outside, Routed, changes},
    policy::table_settings,
    seen::{Seen, health::Health, whereabouts},
};

/// Why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The certificate or its key cannot be used.
    #[error("the gateway's certificate cannot be used")]
    Identity(#[source] toolforge_pki::ServerCertificateError),
    /// TLS cannot be spoken.
    #[error("TLS cannot be set up")]
    Tls(#[source] toolforge_pki::PkiError),
    /// The access log that the settings ask for cannot be opened.
    #[error("the file of accessLog cannot be opened")]
    AccessLog(#[source] io::Error),
    /// The system gives no threads, or no sockets.
    #[error("the gateway's threads cannot be started")]
    Threads(#[source] io::Error),
    /// The registrations of webservices outside of Kubernetes cannot be had.
    #[error("webservices cannot register")]
    Registrations(#[source] toolforge_registrations::OpenError),
    /// The authority of the certificates of those who register cannot be used.
    #[error("the authority of the certificates of those who register cannot be used")]
    ClientAuthority(#[source] toolforge_pki::PkiError),
}

/// Serves until `shutdown`; then lets what is under way finish, as the configuration says.
///
/// # Errors
/// When the configuration cannot be used. Nothing that happens later ends the gateway.
pub async fn run(
    client: kube::Client,
    mut config: Config,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    // What is ended here when serving ends of itself is the gateway's alone.
    let shutdown = shutdown.child_token();
    let identity = ServerCertificate::read(&config.identity).map_err(GatewayError::Identity)?;
    let certificates = Certificates::new(identity);
    let tls = toolforge_pki::resolving_server_config(certificates.clone()).map_err(GatewayError::Tls)?;
    let settings = data_plane_settings(&config);
    let health = Arc::new(Health::default());
    let outside = Outside::open(&mut config, &certificates)?;
    let policy = config.policy.now();
    let table = last_table(
        &config.last_table,
        table_settings(&policy),
        &health,
        outside.routed(),
    );
    let shared = Shared::new(table, policy.main_domain().clone());
    note_status(&config);
    let (tallies, succession) = (tallies(config.workers), mem::take(&mut config.succession));
    let listeners = Listeners::new(config.http.take(), config.https).map_err(GatewayError::Threads)?;
    let mut behind = Behind::new(shutdown.clone());
    behind.follow_policy(config.policy.clone(), &shared);
    let files = config.identity_files.take();
    behind
        .follow_files(&certificates, files, config.rules.take(), &shared)
        .await
        .map_err(GatewayError::AccessLog)?;
    if let Some(listener) = config.status.take() {
        let seen = Seen::new(
            &health,
            &tallies,
            &shared,
            outside.seen(),
            &certificates,
            config.process,
        );
        behind.show(listener, seen, succession.relieved);
    }
    let heard = Heard {
        health: health.clone(),
        table: shared.table.clone(),
        certificates,
        registered: outside.routed(),
        tenants: outside.tenants(),
    };
    behind.follow_api(
        client,
        heard,
        config.policy,
        config.published.take(),
        config.last_table,
    );
    behind.register(outside);
    if succession.has_predecessor {
        tokio::select! {
            () = health.ready_to_take_over(API_PATIENCE) => {}
            () = shutdown.cancelled() => {}
        }
    }
    let serving = CancellationToken::new();
    let indoors = Indoors {
        settings,
        shared,
        tls: Arc::new(tls),
        serving: Arc::new(Serving(serving.clone())),
    };
    behind.tell(health, serving, succession.serving);
    let served = listeners.serve(indoors, tallies, shutdown).await;
    behind.end().await;
    served.map_err(GatewayError::Threads)
}

/// Notes where figures are shown, for `toolforge gateway explain`; nothing else depends on it.
fn note_status(config: &Config) {
    let status = config.status.as_ref();
    let address = status.and_then(|listener| listener.local_addr().ok());
    if let Err(error) = whereabouts::write(&config.last_table, address) {
        tracing::warn!(%error, "the status address could not be noted beside the table");
    }
}

/// The table of an earlier run where there is one, and otherwise an empty one; with what is registered by now.
fn last_table(path: &Path, settings: Settings, health: &Health, registered: Option<Routed>) -> RouteTable {
    let last = load(path, &settings);
    if last.as_ref().is_some_and(|last| !last.is_empty()) {
        health.has_kept_table();
    }
    let table = last.unwrap_or_else(|| RouteTable::new(settings));
    let registered = registered
        .map(|routed| routed.borrow().clone())
        .unwrap_or_default();
    table.with(changes(&table, &registered))
}

fn data_plane_settings(config: &Config) -> DataPlaneSettings {
    DataPlaneSettings {
        drain: config.drain,
        ..DataPlaneSettings::new(config.public_https_port)
    }
}
