//! The API from outside: through kube clients without a socket and over mutual TLS, and through the real kubectl.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod access;
mod aggregation;
mod audit;
mod backups;
mod custom;
mod events;
mod full_disk;
mod harness;
mod hostile;
mod kubectl;
mod logs;
mod metrics;
mod objects;
mod protocol;
mod proxy;
mod revocation;
mod tokens;
mod watches;
mod webhooks;
mod worlds;
