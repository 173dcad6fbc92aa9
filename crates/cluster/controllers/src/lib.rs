//! The controllers of the built-in cluster: from Deployments to Pods, and the rest of what makes a Kubernetes move.
//!
//! The roof program calls [`run()`] with a client and the cluster's certificate authority. Everything here goes through
//! that client, with the rights of its identity; nothing here knows how the API is made.
//!
//! How it works: `world.rs` keeps one cache per kind, filled by one watch (`watch.rs`) and by the answers to
//! our own writes (`cache.rs`). Every change queues keys (`queue.rs`); each controller takes its keys (`controller.rs`),
//! reads the caches, plans (pure, in `plan.rs` of its folder) and executes idempotently. Nothing polls.

mod accounts;
mod autoscaler;
mod budget;
mod cache;
mod controller;
mod cron_job;
mod custom_kinds;
mod deployment;
mod endpoints;
mod events;
mod figures;
mod garbage;
mod job;
mod kept;
mod key;
mod lean;
mod meta;
mod namespace;
mod object;
mod others;
mod owner;
mod percent;
mod pod;
mod pod_collector;
mod pod_maker;
mod pod_owner;
mod pods;
mod queue;
mod quota;
mod replica_set;
mod requests;
mod revisions;
mod run;
mod scheduler;
mod selection;
mod shared;
mod stateful_set;
mod template;
mod template_hash;
mod text;
mod ttl;
mod watch;
mod world;

pub use figures::{FAMILIES, Figures};
pub use run::{ControllersError, run, run_counted};
