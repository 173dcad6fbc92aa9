//! How every HTTP server of the platform listens, speaks TLS and stops.
//!
//! A component hands over its listener and its router; here live the accept loop, the handshake, HTTP/1.1
//! and HTTP/2 on one port, upgrades, the graceful end, the handing over of sockets to the next process, and which codings a client takes. It
//! must not know what is served.

mod handover;
mod inherited;
mod kubeconfig;
mod listen;
mod notices;
mod patient;
mod peer;
mod places;
mod presented;
mod wishes;

pub use handover::{Handover, HandoverError, Offer, Predecessor};
pub use inherited::inherited;
pub use kubeconfig::kubeconfig;
pub use listen::{serve, serve_and_drain, serve_at_most};
pub use notices::{Notices, NoticesError};
pub use peer::Peer;
pub use presented::{Presented, PresentedError};
pub use wishes::{Weight, Wishes, takes_gzip};
