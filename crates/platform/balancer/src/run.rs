//! The balancer put together: listeners, targets, checks, settings that change, and the graceful end.

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use toolforge_figures::Door;

use crate::{
    carry::carry,
    check,
    figures::Figures,
    limits::ACCEPT_PAUSE,
    pool::Pool,
    settings::{Balance, ServiceSettings},
};

/// Why a balancer could not start.
#[derive(Debug, thiserror::Error)]
#[error("service {name}: cannot listen on {listen}")]
pub struct BalancerError {
    name: String,
    listen: SocketAddr,
    source: io::Error,
}

/// A balancer that listens, and carries nothing yet.
#[derive(Debug)]
pub struct Balancer {
    settings: watch::Receiver<Arc<Balance>>,
    services: HashMap<SocketAddr, Service>,
    figures: Figures,
}

#[derive(Debug)]
struct Service {
    settings: ServiceSettings,
    pool: Arc<Pool>,
    /// Until it is carried on.
    listener: Option<TcpListener>,
    address: SocketAddr,
    /// Ends the listening.
    stop: CancellationToken,
    /// Ends the checks.
    stop_checks: CancellationToken,
}

impl Service {
    async fn bind(settings: ServiceSettings) -> Result<Self, BalancerError> {
        let listen = settings.listen;
        let failed = |source| BalancerError {
            name: settings.name.clone(),
            listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            pool: Pool::new(settings.clone()),
            settings,
            listener: Some(listener),
            address,
            stop: CancellationToken::new(),
            stop_checks: CancellationToken::new(),
        })
    }

    /// Takes connections and asks targets.
    fn start(&mut self, connections: &Connections, figures: &Figures) {
        if let Some(listener) = self.listener.take() {
            tokio::spawn(accept(
                listener,
                self.pool.clone(),
                (connections.clone(), figures.clone()),
                self.stop.clone(),
            ));
            check::start(&self.pool, &self.stop_checks);
        }
    }

    fn change(&mut self, settings: &ServiceSettings) {
        if self.settings == *settings {
            return;
        }
        tracing::info!(service = settings.name, "the settings of a service have changed");
        self.settings = settings.clone();
        self.pool.change(settings.clone());
        self.stop_checks.cancel();
        self.stop_checks = CancellationToken::new();
        check::start(&self.pool, &self.stop_checks);
    }

    fn end(&self) {
        self.stop.cancel();
        self.stop_checks.cancel();
    }
}

/// The connections of all services.
#[derive(Clone, Debug)]
struct Connections {
    tracker: TaskTracker,
    /// Ends those that are left.
    cut: CancellationToken,
}

impl Balancer {
    /// Listens where the settings say.
    ///
    /// # Errors
    /// When one of the addresses cannot be listened on.
    pub async fn bind(mut settings: watch::Receiver<Arc<Balance>>) -> Result<Self, BalancerError> {
        let balance = settings.borrow_and_update().clone();
        let mut services = HashMap::new();
        for service in &balance.services {
            services.insert(service.listen, Service::bind(service.clone()).await?);
        }
        let balancer = Self {
            settings,
            services,
            figures: Figures::default(),
        };
        balancer.watch();
        Ok(balancer)
    }

    /// What the balancer tells of itself, to be told by whoever runs it.
    pub fn registry(&self) -> Registry {
        self.figures.registry()
    }

    fn watch(&self) {
        let services = self.services.values();
        self.figures
            .watch(services.map(|service| service.pool.clone()).collect());
    }

    /// Where the service of this name listens.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        let service = self
            .services
            .values()
            .find(|service| service.settings.name == name)?;
        Some(service.address)
    }

    /// Balances until `shutdown`; connections under way then have `drain`. Settings that change are in effect for
    /// the next connection; those under way go on, also to targets that are gone.
    pub async fn run(mut self, drain: Duration, shutdown: CancellationToken) {
        let connections = Connections {
            tracker: TaskTracker::new(),
            cut: CancellationToken::new(),
        };
        loop {
            for service in self.services.values_mut() {
                service.start(&connections, &self.figures);
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = self.settings.changed() => if changed.is_err() {
                    shutdown.cancelled().await;
                    break;
                }
            }
            self.change().await;
            self.watch();
        }
        for service in self.services.values() {
            service.end();
        }
        connections.tracker.close();
        if timeout(drain, connections.tracker.wait()).await.is_err() {
            let left = connections.tracker.len();
            tracing::info!(left, "connections still under way are cut off");
        }
        connections.cut.cancel();
        connections.tracker.wait().await;
    }

    async fn change(&mut self) {
        let balance = self.settings.borrow_and_update().clone();
        let stays = |listen: &SocketAddr| balance.services.iter().any(|service| service.listen == *listen);
        self.services.retain(|listen, service| {
            let stays = stays(listen);
            if !stays {
                service.end();
            }
            stays
        });
        for settings in &balance.services {
            if let Some(service) = self.services.get_mut(&settings.listen) {
                service.change(settings);
                continue;
            }
            match Service::bind(settings.clone()).await {
                Ok(service) => {
                    self.services.insert(settings.listen, service);
                }
                Err(error) => {
                    let source = &error.source;
                    tracing::error!("{error}: {source}; free the address, then write the settings again");
                }
            }
        }
    }
}

/// Listens and balances until `shutdown`, and for `drain` beyond it what is under way then. `door` is where figures are
/// told; `None` tells nobody.
///
/// # Errors
/// When one of the addresses cannot be listened on. Nothing that happens later ends the balancer.
pub async fn run(
    settings: watch::Receiver<Arc<Balance>>,
    door: Option<Door>,
    drain: Duration,
    shutdown: CancellationToken,
) -> Result<(), BalancerError> {
    let balancer = Balancer::bind(settings).await?;
    // Figures are told until the last connection has ended.
    let told = CancellationToken::new();
    if let Some(door) = door {
        tokio::spawn(door.serve(balancer.registry(), told.clone()));
    }
    balancer.run(drain, shutdown).await;
    told.cancel();
    Ok(())
}

async fn accept(
    listener: TcpListener,
    pool: Arc<Pool>,
    (connections, figures): (Connections, Figures),
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (pool, cut, figures) = (pool.clone(), connections.cut.clone(), figures.clone());
                connections.tracker.spawn(async move {
                    let service = pool.service();
                    let carried = tokio::select! {
                        () = cut.cancelled() => return,
                        carried = carry(pool, stream, peer) => carried,
                    };
                    figures.ended(&service.name, &carried);
                    if let Err(error) = carried {
                        tracing::debug!(service = service.name, %error, "a connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
