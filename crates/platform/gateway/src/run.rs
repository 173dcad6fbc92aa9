//! The gateway put together: data plane, control, and what is kept on disk.

use std::{io, num::NonZeroUsize, sync::Arc};

use http::HeaderValue;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use toolforge_model::{Domain, names};
use toolforge_pki::ServerCertificate;
use toolforge_routing::{RouteTable, Settings};

use crate::{
    Config, DataPlane, DataPlaneSettings, PlainHttp, Rules, Shared,
    certificates::{Certificates, Following},
    control::{Control, follow, keep, load, write_statuses},
    seen::{Seen, health::Health, serve as serve_pages, tally::Tally},
    workers::{SharedListener, run_in_threads},
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
    /// The configured policy on content is no header value.
    #[error("content_security_policy_report_only must be one line of visible characters")]
    ContentSecurityPolicy,
}

/// Serves until `shutdown`; then lets requests under way finish.
///
/// # Errors
/// When the configuration cannot be used. Nothing that happens later ends the gateway.
pub async fn run(
    client: kube::Client,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    // What is ended here when serving ends of itself is the gateway's alone.
    let shutdown = shutdown.child_token();
    let identity = ServerCertificate::read(&config.identity).map_err(GatewayError::Identity)?;
    let certificates = Certificates::new(identity);
    let tls = toolforge_pki::resolving_server_config(certificates.clone()).map_err(GatewayError::Tls)?;
    let data_plane_settings = data_plane_settings(&config)?;
    let settings = table_settings(&config);
    let health = Arc::new(Health::default());
    let last = load(&config.last_table, &settings);
    if last.as_ref().is_some_and(|last| !last.is_empty()) {
        health.has_kept_table();
    }
    let shared = Shared::new(last.unwrap_or_else(|| RouteTable::new(settings)));
    let mut tasks = JoinSet::new();
    let following = Following::begin(certificates.clone(), config.identity_files, config.rules.clone()).await;
    tasks.spawn(following.go_on(shutdown.clone()));
    if let Some(newest) = config.rules {
        let first = newest.borrow().clone();
        shared.set_rules(first).map_err(GatewayError::AccessLog)?;
        tasks.spawn(follow_rules(shared.clone(), newest, shutdown.clone()));
    }
    let tallies: Arc<[Arc<Tally>]> = (0..config.workers.get()).map(|_| Arc::default()).collect();
    if let Some(listener) = config.status {
        let seen = Seen {
            health: health.clone(),
            tallies: tallies.clone(),
            table: shared.table.clone(),
            access_log: shared.access_log.clone(),
        };
        tasks.spawn(serve_pages(listener, seen, shutdown.clone()));
    }
    let doors = Doors {
        settings: data_plane_settings,
        shared: shared.clone(),
        tallies,
        http: match config.http {
            Some((listener, plain)) => Some((
                SharedListener::new(listener).map_err(GatewayError::Threads)?,
                plain,
            )),
            None => None,
        },
        https: SharedListener::new(config.https).map_err(GatewayError::Threads)?,
        tls: Arc::new(tls),
    };
    let serving = serve(Arc::new(doors), config.workers, shutdown.clone());
    let (changed, heard) = watch::channel(());
    tasks.spawn(keep(
        config.last_table,
        shared.table.clone(),
        heard,
        shutdown.clone(),
    ));
    let (unpublished, to_publish) = mpsc::unbounded_channel();
    if let Some(published) = config.published.clone() {
        tasks.spawn(write_statuses(
            client.clone(),
            published,
            to_publish,
            shutdown.clone(),
        ));
    }
    let control = Control {
        table: shared.table,
        health,
        policy: Arc::new(config.policy),
        published: config.published,
        certificates,
        changed,
        unpublished,
    };
    tasks.spawn(follow(client, control, shutdown.clone()));
    let served = serving.await;
    // What is left goes by the table, and has nobody to do it for.
    shutdown.cancel();
    tasks.join_all().await;
    served
}

/// What every thread of the data path begins with.
struct Doors {
    settings: DataPlaneSettings,
    shared: Shared,
    /// One for each thread.
    tallies: Arc<[Arc<Tally>]>,
    http: Option<(SharedListener, PlainHttp)>,
    https: SharedListener,
    tls: Arc<rustls::ServerConfig>,
}

/// Serves in so many threads until `shutdown`, and until what was under way has ended.
async fn serve(
    doors: Arc<Doors>,
    workers: NonZeroUsize,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    let work = move |number: usize| {
        let (doors, shutdown) = (doors.clone(), shutdown.clone());
        async move {
            let tally = doors.tallies[number].clone();
            if let Err(error) = doors.serve_here(tally, shutdown).await {
                tracing::error!(%error, "a thread of the gateway cannot listen");
            }
        }
    };
    run_in_threads(workers, work).await.map_err(GatewayError::Threads)
}

impl Doors {
    async fn serve_here(&self, tally: Arc<Tally>, shutdown: CancellationToken) -> io::Result<()> {
        let plane = DataPlane::counting(self.settings.clone(), self.shared.clone(), tally);
        let secure = plane
            .clone()
            .serve_tls(self.https.here()?, self.tls.clone(), shutdown.clone());
        match &self.http {
            Some((listener, plain)) => {
                let plain = plane.serve_plain(listener.here()?, *plain, shutdown);
                tokio::join!(secure, plain);
            }
            None => secure.await,
        }
        Ok(())
    }
}

/// Has the data plane go by the newest rules, until `shutdown` or until nobody changes them any more.
async fn follow_rules(shared: Shared, mut newest: watch::Receiver<Arc<Rules>>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = newest.changed() => if changed.is_err() { return },
        }
        let rules = newest.borrow_and_update().clone();
        match shared.set_rules(rules) {
            Ok(()) => tracing::info!("the settings of the gateway have changed"),
            Err(error) => tracing::error!(
                %error,
                "the settings of the gateway have changed, but their accessLog.file cannot be opened; what was before stays"
            ),
        }
    }
}

fn data_plane_settings(config: &Config) -> Result<DataPlaneSettings, GatewayError> {
    let content = config
        .content_security_policy_report_only
        .as_deref()
        .map(HeaderValue::from_str);
    let policy = &config.policy;
    let domains = policy.domains().iter().chain(policy.legacy_hosts());
    Ok(DataPlaneSettings {
        content_security_policy_report_only: content
            .transpose()
            .map_err(|_| GatewayError::ContentSecurityPolicy)?,
        other_domains: domains
            .filter(|domain| **domain != config.domain)
            .cloned()
            .collect(),
        ..DataPlaneSettings::new(config.domain.clone(), config.public_https_port)
    })
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
