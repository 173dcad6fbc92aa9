//! The API as the roof sees it: opened, run on a listener, and asked through clients without a socket.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use toolforge_pki::Identity;
use tower::ServiceExt as _;
use tower::util::service_fn;

use crate::aggregation::Aggregation;
use crate::allocate::Allocator;
use crate::api::Api;
use crate::audit::AuditLog;
use crate::authn::{InProcess, User};
use crate::authz::{Access, aggregate};
use crate::definitions::Kinds;
use crate::error::ApiError;
use crate::nodes::Nodes;
use crate::store::{Event, Observer, Store};
use crate::tokens::{self, Tokens};
use crate::{aggregation, bootstrap, definitions, expiry, gate};

/// What the API needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where objects are kept. The key for their encryption lies beside it: `store.key` for a folder `store`.
    pub store_dir: PathBuf,
    /// Where the API keeps keys of its own (0600): that of service accounts' tokens. Not the folder of objects.
    pub keys_dir: PathBuf,
    /// The URL under which clients find the API, such as `https://127.0.0.1:6443`; written into `cluster-info`.
    pub advertise: String,
    /// The certificate and key that the API presents.
    pub server: Identity,
    /// The authority of client certificates and of nodes, as PEM.
    pub client_ca_pem: String,
    /// What the API presents to nodes.
    pub node_client: Identity,
    /// The first address of the /16 that cluster IPs come from, as a number: `u32::from(Ipv4Addr)`.
    pub service_network: u32,
}

/// The built-in Kubernetes API.
#[derive(Debug)]
pub struct ApiServer {
    api: Arc<Api>,
    router: Router,
    tls: Arc<rustls::ServerConfig>,
    event_lifetime: Duration,
    own_service: Vec<serde_json::Value>,
}

/// Everybody who follows the store from inside.
struct Observers {
    access: Arc<Access>,
    addresses: Arc<Allocator>,
    kinds: Arc<Kinds>,
    aggregation: Arc<Aggregation>,
}

impl Observer for Observers {
    fn applied(&self, event: &Event) {
        self.access.applied(event);
        self.addresses.applied(event);
        self.kinds.applied(event);
        self.aggregation.applied(event);
    }
}

impl ApiServer {
    /// Opens the store and makes sure that what every cluster has is there: namespaces, roles, the API's own Service.
    ///
    /// # Errors
    /// When the store cannot be read, the certificates cannot be used, or a first object cannot be written.
    pub async fn open(config: Config) -> Result<Self, ApiError> {
        let tls = toolforge_pki::server_config(&config.server, Some(&config.client_ca_pem))?;
        let nodes = toolforge_pki::client_config(&config.client_ca_pem, Some(&config.node_client))?;
        let folder = config.store_dir.clone();
        let network = config.service_network;
        let aggregation = Arc::new(Aggregation::new()?);
        let follows = aggregation.clone();
        // Reading thousands of objects blocks.
        let opened = tokio::task::spawn_blocking(move || open_store(&folder, network, &follows)).await;
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| ApiError::Store {
            folder: config.store_dir.clone(),
            source,
        };
        let (store, access, addresses, kinds) = opened
            .map_err(|problem| failed(problem.into()))?
            .map_err(|problem| failed(problem.into()))?;
        let tokens = Tokens::open(&config.keys_dir, &config.advertise, &config.client_ca_pem)?;
        let nodes = Nodes::new(nodes);
        let api = Api::new(
            Arc::new(store),
            access,
            kinds,
            aggregation,
            addresses,
            nodes,
            tokens,
        );
        let api = Arc::new(api);
        bootstrap::run(&api, &config).await?;
        let router = Router::new().fallback(gate::handle).with_state(api.clone());
        Ok(Self {
            api,
            router,
            tls: Arc::new(tls),
            event_lifetime: expiry::EVENT_LIFETIME,
            own_service: bootstrap::own_service(&config),
        })
    }

    /// Sets how long events stay after their last change; an hour when nobody says otherwise.
    #[must_use]
    pub fn with_event_lifetime(mut self, lifetime: Duration) -> Self {
        self.event_lifetime = lifetime;
        self
    }

    /// Writes requests to an audit log from now on. The first log that is set stays.
    #[must_use]
    pub fn with_audit_log(self, log: AuditLog) -> Self {
        if self.api.audit.set(Arc::new(log)).is_err() {
            tracing::error!("there is an audit log already");
        }
        self
    }

    /// Serves until `shutdown`; then ends watches, lets requests finish and closes the store.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(&self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ApiError> {
        let closing = self.api.closing.clone();
        let ends_streams = tokio::spawn({
            let shutdown = shutdown.clone();
            async move {
                shutdown.cancelled().await;
                closing.cancel();
            }
        });
        let mut chores = JoinSet::new();
        chores.spawn(aggregate::keep_current(self.api.clone()));
        chores.spawn(definitions::keep_current(self.api.clone()));
        chores.spawn(aggregation::keep_current(self.api.clone()));
        chores.spawn(expiry::expire_events(self.api.clone(), self.event_lifetime));
        chores.spawn(tokens::keep_secrets(self.api.clone()));
        chores.spawn(bootstrap::keep_own_service(
            self.api.clone(),
            self.own_service.clone(),
        ));
        let served =
            toolforge_serve::serve(listener, Some(self.tls.clone()), self.router.clone(), shutdown).await;
        ends_streams.abort();
        self.api.closing.cancel();
        while let Some(ended) = chores.join_next().await {
            if let Err(problem) = ended {
                tracing::error!(%problem, "a chore of the API ended badly");
            }
        }
        let store = self.api.store.clone();
        if let Err(problem) = tokio::task::spawn_blocking(move || store.close()).await {
            tracing::error!(%problem, "closing the object store failed");
        }
        Ok(served?)
    }

    /// A client that reaches the API without a socket, with this identity and its rights. Needs a tokio runtime.
    pub fn client(&self, user: &str, groups: &[&str]) -> kube::Client {
        let user = User::authenticated(user, groups);
        let router = self.router.clone();
        let service = service_fn(move |request: Request<kube::client::Body>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(InProcess(user.clone()));
            router.clone().oneshot(request)
        });
        kube::Client::new(service, "default")
    }
}

type Opened = (Store, Arc<Access>, Arc<Allocator>, Arc<Kinds>);

fn open_store(
    folder: &std::path::Path,
    network: u32,
    aggregation: &Arc<Aggregation>,
) -> Result<Opened, crate::store::DiskError> {
    let access = Arc::new(Access::default());
    let addresses = Arc::new(Allocator::new(u32::from(Ipv4Addr::from(network))));
    let kinds = Arc::new(Kinds::default());
    let observers = Arc::new(Observers {
        kinds: kinds.clone(),
        access: access.clone(),
        addresses: addresses.clone(),
        aggregation: aggregation.clone(),
    });
    let store = Store::open(folder, observers, |object| {
        access.load(object);
        addresses.load(object);
        kinds.load(object);
        aggregation.load(object);
    })?;
    definitions::prepare(&kinds, &store);
    Ok((store, access, addresses, kinds))
}
