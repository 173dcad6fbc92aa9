//! Connections of the API to others, over HTTP/1.1: to nodes, and to what runs in Pods.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a party of this machine has to take a connection: it is near.
const PATIENCE: Duration = Duration::from_secs(10);

/// What went wrong.
pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Connects, within ten seconds.
pub(crate) async fn tcp(to: impl ToSocketAddrs) -> Result<TcpStream, Problem> {
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(to)).await;
    let stream = connected.map_err(|_| "no answer in time")??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Speaks HTTP on a connection, which may become something else; it runs on a task of its own.
pub(crate) async fn http<S, B>(stream: S) -> Result<SendRequest<B>, Problem>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Problem>,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = connection.with_upgrades();
    tokio::spawn(async move {
        if let Err(problem) = connection.await {
            tracing::debug!(%problem, "a connection of the API ended");
        }
    });
    Ok(sender)
}

/// Speaks TLS with whoever listens in a Pod, and takes any certificate, as Kubernetes does here. The API sends no credentials.
pub(crate) async fn unverified(address: IpAddr, stream: TcpStream) -> Result<TlsStream<TcpStream>, Problem> {
    let config = toolforge_pki::unverified_client_config();
    let name = ServerName::IpAddress(address.into());
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}
