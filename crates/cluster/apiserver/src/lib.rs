//! The built-in Kubernetes API of one machine: store, watches, authentication, authorization, verbs.
//!
//! The roof opens one [`ApiServer`], runs it on a listener and makes clients of it. What the kinds look like is
//! `toolforge-kinds`, how patches work is `toolforge-patch`, who else has a say is `toolforge-chain`. This crate
//! must not know what a controller, a node or a platform component does.
//!
//! **Invariant:** a write is answered when it is on disk. **Invariant:** a revision never goes back.

mod admit;
mod aggregation;
mod allocate;
mod api;
mod audit;
mod authn;
mod authz;
mod backup;
mod body;
mod bootstrap;
mod builtin;
mod certificate_requests;
mod connect;
mod conversion;
mod definitions;
mod dial;
mod discovery;
mod error;
mod expiry;
mod fail;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gate;
mod held;
mod metadata;
mod metrics;
mod negotiate;
mod nodes;
mod query;
mod request;
mod respond;
mod rest;
mod selector;
mod server;
mod store;
mod tokens;
mod upkeep;
mod watch;
mod wire;
mod world;

pub use audit::{AuditError, AuditLog};
pub use error::ApiError;
pub use metrics::FAMILIES;
pub use server::{ApiServer, Config};
pub use upkeep::{Inspected, Restored, UpkeepError, inspect_backup, restore_backup, rotate_key};
