//! The guards as Kubernetes meets them: `AdmissionReview`s over HTTPS, with a small API behind for the accounts.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod answers;
mod api;
mod hostile;
mod images;
mod network;
mod pods;
mod requests;
mod server;
mod table;
