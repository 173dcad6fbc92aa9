//! Balancer for TCP: before the API servers and the ingress nodes of a cluster.
//!
//! `toolforge balance` calls [`run()`] with what a settings file says. Which target a connection gets is decided in
//! `target` and `targets`, without I/O; `pool` keeps count, `check` asks targets how they are, `carry` moves bytes. It
//! looks into no connection, and knows nothing of Kubernetes.

mod carry;
mod check;
mod figures;
mod limits;
mod pool;
mod run;
mod settings;
mod target;
mod targets;

pub use figures::FAMILIES;
pub use run::{Balancer, BalancerError, run};
pub use settings::{
    Algorithm, Balance, BalancerSettings, BalancerSettingsError, CheckKind, CheckSettings, ProxyProtocol,
    ServiceSettings, TargetSettings,
};
