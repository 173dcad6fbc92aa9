//! Real clients against a real API and a real node: `kubectl` in both of its ways (WebSocket and SPDY) and `kube`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what cannot be set up has failed the test"
)]

mod attach;
mod client;
mod copy;
mod exec;
mod forward;
mod harness;
