//! What containers write, in files that the platform's other parts may know from Kubernetes.
//!
//! `STATE_DIR/logs/NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log`, one line per line of output:
//! `2026-01-02T03:04:05.678901234Z stdout F message` (the format of the container runtime interface).

mod follow;
mod line;
mod query;
mod store;
mod writer;

pub(crate) use follow::follow;
pub(crate) use query::Query;
pub(crate) use store::{LogStore, NoLog};
