//! Front proxy, load balancer and ingress controller: one data plane, and the control that feeds it.
//!
//! The roof program calls [`run()`] with a client of the Kubernetes API. The data plane ([`DataPlane`]) knows only the
//! last [`toolforge_routing::RouteTable`], so that it serves whatever becomes of the API. It must not know which
//! cluster it stands before.

mod body;
mod config;
mod control;
mod data_plane;
mod exchange;
mod headers;
mod limits;
mod listen;
mod names;
mod page;
mod pool;
mod redirect;
mod request_body;
mod run;
mod tunnel;
mod visit;

pub use config::{Config, Published, default_backend};
pub use data_plane::{DataPlane, DataPlaneSettings};
pub use run::{GatewayError, run};
