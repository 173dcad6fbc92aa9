//! The guards and an API of the built-in cluster: what happens when no guard is running, when somebody changes what the API
//! knows of them, and when the cluster issues their certificates.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod certificates;
mod registration;
mod signing;

mod scratch;
mod start;
