//! Connections to one webhook, kept for the next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::call::CallError;
use super::definition::ClientConfig;
use super::target::Target;
use crate::world::World;

/// Most idle connections to one webhook; more writers at once make their own.
const MAX_IDLE: usize = 32;

/// A connection on which a request can be sent.
pub(super) type Connection = SendRequest<Full<Bytes>>;

/// The connections to one webhook.
pub(super) struct Pool {
    pub(super) config: ClientConfig,
    pub(super) target: Target,
    tls: TlsConnector,
    idle: Mutex<Vec<Connection>>,
    /// Counts connections, so that the endpoints of a Service take turns.
    turn: AtomicUsize,
}

impl Pool {
    /// A pool for a webhook; connects to nothing yet.
    pub(super) fn new(config: &ClientConfig) -> Result<Self, CallError> {
        let target = Target::of(config)?;
        let bundle = config
            .ca_bundle
            .as_deref()
            .filter(|bundle| !bundle.is_empty())
            .ok_or(CallError::NoAuthority)?;
        let pem = STANDARD
            .decode(bundle)
            .ok()
            .and_then(|pem| String::from_utf8(pem).ok());
        let pem = pem.ok_or(CallError::Authority)?;
        let tls = toolforge_pki::client_config(&pem, None)?;
        Ok(Self {
            config: config.clone(),
            target,
            tls: TlsConnector::from(Arc::new(tls)),
            idle: Mutex::new(Vec::new()),
            turn: AtomicUsize::new(0),
        })
    }

    /// An idle connection that is still good.
    pub(super) fn reuse(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        while let Some(connection) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock();
        if idle.len() < MAX_IDLE && !connection.is_closed() {
            idle.push(connection);
        }
    }

    /// A new connection, to the first endpoint that takes it.
    pub(super) async fn connect(&self, world: &dyn World) -> Result<Connection, CallError> {
        let addresses = self.target.addresses(world)?;
        let name = self.target.server_name()?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len().max(1);
        let mut last = CallError::NoAddress;
        for (host, port) in addresses.iter().cycle().skip(turn).take(addresses.len()) {
            match TcpStream::connect((host.as_str(), *port)).await {
                Ok(stream) => return self.secure(stream, name).await,
                Err(source) => {
                    last = CallError::Dial {
                        address: format!("{host}:{port}"),
                        source,
                    }
                }
            }
        }
        Err(last)
    }

    async fn secure(
        &self,
        stream: TcpStream,
        name: rustls_pki_types::ServerName<'static>,
    ) -> Result<Connection, CallError> {
        // Reviews are small and waited for; failing to say so only costs time.
        let _ = stream.set_nodelay(true);
        let stream = self.tls.connect(name, stream).await.map_err(CallError::Tls)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(CallError::Http)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to a webhook ended");
            }
        });
        Ok(sender)
    }
}
