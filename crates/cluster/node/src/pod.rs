//! Carries out what `life` decides: one task per Pod.
//!
//! The agent starts a task for each Pod of the node and tells it of changes; the task runs containers through the
//! [`crate::Runtime`], probes them, and writes the Pod's status. It decides nothing about a Pod's life by itself.

mod check;
mod dial;
mod grpc;
mod hook;
mod http_get;
mod last_words;
mod launch;
mod report;
mod surroundings;
mod task;

pub(crate) use surroundings::Shared;
pub(crate) use task::{Seen, live};
