//! The node of the built-in cluster: from Pods to running processes.
//!
//! The roof calls [`run`] with a client and a [`Config`]. Inside, three things are kept apart:
//!
//! - `life` decides: a Pod's life cycle as values in and values out, without clock, process or socket;
//! - `pod` acts: one task per Pod that carries decisions out and reports what happened;
//! - [`Runtime`] is the seam below: today processes of this machine (`process`), later full containers.
//!
//! Beside them stand the Pods' volumes (`volumes`), the Node object (`machine`), the relay of Services (`proxy`), the
//! logs (`logs`) and the small server that the API fetches them from, and figures of what is used (`usage`), and brings
//! clients to containers with (`server`).
//! All `unsafe` of the platform is in `sys`.
//!
//! This crate must not know the platform components; it meets them over the Kubernetes API only.

mod address;
mod agent;
mod config;
mod environment;
mod error;
mod events;
mod life;
mod logs;
mod machine;
mod pod;
mod process;
mod protection;
mod proxy;
mod runtime;
mod server;
mod session;
mod sys;
mod usage;
mod volumes;

pub use agent::run;
pub use config::{Config, SESSION_SILENCE};
pub use error::NodeError;
pub use protection::{Protection, detect_protection};
pub use runtime::{
    ContainerId, ContainerPlace, CreateError, CreateRequest, Exit, Mount, MountSource, OutputSink,
    ProbeOutcome, Runtime, StartError, Stop,
};
pub use server::FAMILIES;
pub use session::{Input, Output, Resizer, Session};
pub use usage::{Allowance, Memory, Reading, Throttling, Usage};
