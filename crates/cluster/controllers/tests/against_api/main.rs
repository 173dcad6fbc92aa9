//! The controllers against the real API, in one process: what a user would see with `kubectl`, with a node that only
//! pretends to run Pods.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod budgets;
mod cluster;
mod jobs;
mod lifetimes;
mod platform;
mod services;
mod workloads;
