//! What the gateway is told: the roof program fills it in.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    str::FromStr,
    sync::Arc,
};

use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};
use tokio_util::sync::CancellationToken;
use toolforge_figures::Process;
use toolforge_model::{Domain, DomainError, names};
use toolforge_pki::Identity;
use toolforge_routing::{PortRef, ServiceRef, Target};

use crate::{CertificateFiles, Drain, Policies, Rules};

/// The port of the default backend's Service.
const DEFAULT_BACKEND_PORT: u16 = 8000;

/// Everything that a gateway needs besides a client of the API.
#[derive(Debug)]
pub struct Config {
    /// What Ingresses are held to: the same that admission judges by. Its first domain is the platform's main one.
    pub policy: Policies,
    /// The plain listener, and what it is for; without it only HTTPS is served.
    pub http: Option<(TcpListener, PlainHttp)>,
    /// The listener for HTTPS.
    pub https: TcpListener,
    /// How many threads serve. One for each processor is enough.
    pub workers: NonZeroUsize,
    /// The port under which the public reaches HTTPS, for redirects and `X-Forwarded-Port`.
    pub public_https_port: u16,
    /// The listener for health and figures, plain HTTP; `None` tells nobody.
    pub status: Option<TcpListener>,
    /// Whether the figures tell of the process.
    pub process: Process,
    /// The certificate for `*.DOMAIN`, which is shown wherever there is no other.
    pub identity: Identity,
    /// Where that was read, to be read again when it changes; `None` where it does not come from files.
    pub identity_files: Option<CertificateFiles>,
    /// Where the last table is kept between runs.
    pub last_table: PathBuf,
    /// The address that is written into the status of Ingresses; `None` writes none.
    pub published: Option<Published>,
    /// What the settings file says, now and after each of its changes; `None` refuses nobody.
    pub rules: Option<watch::Receiver<Arc<Rules>>>,
    /// Where webservices outside of Kubernetes register; `None` knows of none.
    pub registrations: Option<RegistrationDoors>,
    /// How long what is open at the stop may stay so.
    pub drain: Drain,
    /// How the gateway comes after another one, and goes before another.
    pub succession: Succession,
}

/// Where webservices outside of Kubernetes register, and where that is kept.
#[derive(Debug)]
pub struct RegistrationDoors {
    /// Where registrations are kept between runs.
    pub file: PathBuf,
    /// The listener of the original's lines, plain TCP.
    pub lines: Option<TcpListener>,
    /// The listener of the API, HTTPS with the gateway's certificates, and the authority of its clients' certificates, PEM.
    pub api: Option<(TcpListener, String)>,
    /// The listener of the list, plain HTTP.
    pub list: Option<TcpListener>,
    /// Where the platform listens besides the gateway: no tool may lead there.
    pub own: Vec<SocketAddr>,
}

/// Other processes that have the same listeners: one before, which serves until this one does, and one after.
#[derive(Debug, Default)]
pub struct Succession {
    /// Whether another gateway serves until this one does: then this one takes no connection before it is ready.
    pub has_predecessor: bool,
    /// Told when the gateway is ready and its listeners are served.
    pub serving: Option<oneshot::Sender<()>>,
    /// Cancelled, no later than the shutdown, when another process serves the listeners: then this one leaves even that
    /// for health and figures to it. Otherwise there it says until its end that it takes no new connections.
    pub relieved: CancellationToken,
}

/// What the plain listener does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// Leads visitors to HTTPS.
    Redirect,
    /// Serves tools, for a front proxy before it that speaks TLS with visitors, or where nobody does.
    Serve,
}

/// How the world reaches the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// At an address.
    Ip(IpAddr),
    /// At a host name.
    Hostname(String),
}

impl fmt::Display for Published {
    /// As it is read.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(formatter),
            Self::Hostname(name) => name.fmt(formatter),
        }
    }
}

impl FromStr for Published {
    type Err = DomainError;

    /// Reads an address, or else a host name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let name: Domain = text.parse()?;
        Ok(Self::Hostname(name.to_string()))
    }
}

/// As many threads as there are processors for this process.
pub fn one_for_each_processor() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// What answers where no Ingress does: the platform's fourohfour pages.
pub fn default_backend() -> ServiceRef {
    ServiceRef {
        namespace: names::FOUROHFOUR_NAMESPACE.to_owned(),
        target: Target {
            service: names::FOUROHFOUR_SERVICE.into(),
            port: PortRef::Number(DEFAULT_BACKEND_PORT),
        },
    }
}
