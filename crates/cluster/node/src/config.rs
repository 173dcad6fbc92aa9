//! What the roof tells the node.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use tokio::net::TcpListener;
use toolforge_pki::Identity;

use crate::protection::Protection;

/// The silence that ends a session unless told otherwise: the default of kubelet's `streamingConnectionIdleTimeout`.
pub const SESSION_SILENCE: Duration = Duration::from_hours(4);

/// Everything that the node needs to know before it starts.
#[derive(Debug)]
pub struct Config {
    /// The name of the Node object; also its host name.
    pub name: String,
    /// Where the node's own API (logs) listens.
    pub listener: TcpListener,
    /// The port that the Node object names for it.
    pub advertise_port: u16,
    /// The certificate that the node's API presents.
    pub identity: Identity,
    /// The authority of the client certificates that may ask it.
    pub client_ca_pem: String,
    /// Where logs and the records of running containers are kept.
    pub state_dir: PathBuf,
    /// First folder of every container's `PATH`.
    pub bin_dir: PathBuf,
    /// Host and port of the Kubernetes API, as containers see it in their environment.
    pub api_host_port: (String, u16),
    /// The base of the /16 that Pods have addresses of: 127.64.0.0 to 127.95.0.0. Platforms that share a machine
    /// have different ones.
    pub pod_network: Ipv4Addr,
    /// The base of the /16 that Services' cluster IPs are of: 127.96.0.0 to 127.127.0.0.
    pub service_network: Ipv4Addr,
    /// How long an exec, an attach or a port-forward may be silent before it is ended.
    pub session_silence: Duration,
    /// What this machine offers, from [`crate::detect_protection`].
    pub protect: Protection,
}
