//! The gateway put together: data plane, control, and what is kept on disk.

use std::{io, mem, sync::Arc};

use tokio_util::sync::CancellationToken;
use toolforge_model::{Domain, names};
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
    let shared = Shared::new(last_table(&config, &health, outside.routed()));
    note_status(&config);
    let (tallies, succession) = (tallies(config.workers), mem::take(&mut config.succession));
    let listeners = Listeners::new(config.http.take(), config.https).map_err(GatewayError::Threads)?;
    let mut behind = Behind::new(shutdown.clone());
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
fn last_table(config: &Config, health: &Health, registered: Option<Routed>) -> RouteTable {
    let settings = table_settings(config);
    let last = load(&config.last_table, &settings);
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
    let policy = &config.policy;
    let domains = policy.domains().iter().chain(policy.legacy_hosts());
    DataPlaneSettings {
        other_domains: domains
            .filter(|domain| **domain != config.domain)
            .cloned()
            .collect(),
        drain: config.drain,
        ..DataPlaneSettings::new(config.domain.clone(), config.public_https_port)
    }
}

/// What a kept table depends on: under another domain, or with other safe namespaces, its verdicts are worth nothing.
fn table_settings(config: &Config) -> Settings {
    let policy = &config.policy;
    let domains: Vec<_> = policy.domains().iter().map(Domain::as_str).collect();
    let legacy: Vec<_> = policy.legacy_hosts().iter().map(Domain::as_str).collect();
    let safe: Vec<_> = policy.safe_namespaces().iter().map(String::as_str).collect();
    Settings {
        ingress_class: policy.ingress_class().to_owned(),
        controller: names::INGRESS_CONTROLLER.to_owned(),
        default_backend: config.default_backend.clone(),
        policy: format!(
            "domain {}, legacy hosts {}, safe namespaces {}",
            domains.join(" "),
            legacy.join(" "),
            safe.join(" ")
        ),
    }
}
