//! How every HTTP server of the platform listens, speaks TLS and stops.
//!
//! A component hands over its listener and its router; here live the accept loop, the handshake, HTTP/1.1
//! and HTTP/2 on one port, upgrades, and the graceful end. It must not know what is served.

mod kubeconfig;
mod listen;
mod notices;
mod patient;
mod peer;
mod places;
mod presented;

pub use kubeconfig::kubeconfig;
pub use listen::{serve, serve_at_most};
pub use notices::{Notices, NoticesError};
pub use peer::Peer;
pub use presented::{Presented, PresentedError};
