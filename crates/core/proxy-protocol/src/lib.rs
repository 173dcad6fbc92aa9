//! Who is behind a proxy: the header that a proxy writes before the bytes of a connection, read and written.
//!
//! The PROXY protocol as haproxy specifies it (`doc/proxy-protocol.txt`), versions 1 and 2, for TCP. The gateway reads it
//! from proxies in front of it, the balancer writes it. Bytes in, values out: whose header is believed is for the callers.

mod read;
mod write;

use std::net::SocketAddr;

pub use read::{HeaderError, LIMIT_BYTES, read};
pub use write::{write_v1, write_v2};

/// Between whom the connection is that was proxied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Addresses {
    /// Who connected to the proxy.
    pub source: SocketAddr,
    /// Where it connected to.
    pub destination: SocketAddr,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Header {
    /// The connection is made for somebody.
    Proxied(Addresses),
    /// It is the proxy's own, as for a health check, or made for somebody of whom it says nothing: the addresses are those
    /// of the connection itself.
    Own,
}
