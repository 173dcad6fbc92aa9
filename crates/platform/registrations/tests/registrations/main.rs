//! Registrations over real sockets: lines with an ident responder, the API with certificates, the list, checks, restarts.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod accounts;
mod api;
mod hostile;
mod keeping;
mod life;
mod lines;
mod list;
mod scene;
