//! The streams of `exec`, `attach` and `port-forward`: how several of them share one connection.
//!
//! The node answers upgrade requests with [`accept_command`] and [`accept_forwards`], and gets the same few types
//! whatever the client speaks: SPDY/3.1 (`spdy`), WebSocket with channels (`channels`), or SPDY inside WebSocket. The
//! API only passes bytes on, with [`is_upgrade`] and [`join`].
//!
//! This crate knows nothing of Pods and processes, and what it buffers for a peer is bounded.

mod channels;
mod command;
mod flow;
mod forward;
#[cfg(fuzzing)]
pub mod fuzzing;
mod refusal;
mod spdy;
mod upgrade;
mod verdict;
mod websocket;

pub use command::{CommandConnection, CommandStreams, Resizes, Size, Wanted, accept_command};
pub use flow::{Gone, Incoming, Outgoing};
pub use forward::{Forward, ForwardConnection, Forwards, accept_forwards};
pub use refusal::{OpenError, Refusal};
pub use upgrade::{is_upgrade, is_websocket, join};
pub use verdict::Verdict;
