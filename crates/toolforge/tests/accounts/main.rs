//! `toolforge accounts` as processes of their own, between a real directory and a real API: killed and paused at any point of
//! their file work, and several of them at once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod killed;
mod replicas;
mod seen;
mod stage;
#[cfg(target_arch = "x86_64")]
mod stale;
mod tracer;
