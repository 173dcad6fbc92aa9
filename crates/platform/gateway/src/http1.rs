//! HTTP/1.1 over sockets: with visitors ([`visitor`]) and with tools ([`tool`]).
//!
//! What the bytes mean is `toolforge-http1`'s; what is answered is the data plane's. Here they are moved: nothing is
//! gathered that can be passed on, nothing is read that nobody can take, and a connection that waits holds no buffer.

mod outgoing;
mod patience;
mod reading;
pub(crate) mod tool;
pub(crate) mod upload;
pub(crate) mod visitor;

pub(crate) use patience::Patience;
