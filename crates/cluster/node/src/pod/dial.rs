//! TLS to a Pod that is probed: whatever certificate it has.
//!
//! A probe asks whether something answers. Pods have certificates for names that only their clients know, so kubelet
//! checks none, and neither does the node; nothing secret is sent, and an answer is believed in nothing but being one.

use std::{io, sync::Arc};

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Speaks TLS over a connection, offering these protocols.
pub(super) async fn secure(
    stream: TcpStream,
    host: &str,
    protocols: &[&[u8]],
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut config = toolforge_pki::unverified_client_config();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}
