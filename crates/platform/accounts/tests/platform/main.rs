//! The account service between a real directory and a real API: what operators and maintainers see.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod election;
mod held;
mod lifecycle;
mod running;
mod scratch;
