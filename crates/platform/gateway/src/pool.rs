//! The kept-alive connections to endpoints.
//!
//! One pool belongs to one data plane; with one data plane per core its lock is never contended. It knows nothing of
//! requests: when one may be sent again is decided in `exchange`.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Instant,
};

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    time::{interval, timeout},
};

use crate::{
    limits::{CONNECT_TIMEOUT, IDLE_LIFE, IDLE_PER_ENDPOINT, IDLE_TRUST, READ_TIMEOUT},
    request_body::RequestBody,
};

/// A connection that can take a request.
pub(crate) type Sender = SendRequest<RequestBody>;

/// The idle connections of a data plane, by endpoint.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: Mutex<HashMap<SocketAddr, Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
}

/// Why there is no connection to an endpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// Nobody listens there, or the way there is closed.
    #[error("the endpoint cannot be reached")]
    Refused(#[source] io::Error),
    /// Nobody answered in time.
    #[error("the endpoint did not answer in time")]
    Timeout,
    /// The connection broke before it could be used.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
}

impl Pool {
    /// A pool, and the task that drops connections which nobody used for long. It ends with the pool.
    pub(crate) fn new() -> Arc<Self> {
        let pool = Arc::new(Self::default());
        tokio::spawn(sweep(Arc::downgrade(&pool)));
        pool
    }

    /// An idle connection to the endpoint, the one used last; only a very fresh one where the request could not be
    /// sent a second time.
    pub(crate) fn take(&self, endpoint: SocketAddr, may_be_resent: bool) -> Option<Sender> {
        let mut idle = self.idle.lock();
        let connections = idle.get_mut(&endpoint)?;
        while let Some(connection) = connections.pop() {
            if !connection.sender.is_ready() {
                continue;
            }
            if may_be_resent || connection.since.elapsed() < IDLE_TRUST {
                return Some(connection.sender);
            }
            // Those below are older still. This one stays for a request that may be sent again.
            connections.push(connection);
            return None;
        }
        None
    }

    /// A new connection to the endpoint.
    pub(crate) async fn connect(endpoint: SocketAddr) -> Result<Sender, ConnectError> {
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(endpoint)).await;
        let stream = connected
            .map_err(|_| ConnectError::Timeout)?
            .map_err(ConnectError::Refused)?;
        // Small requests go out at once; failing to say so costs only time.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Broken)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%endpoint, %error, "connection to an endpoint ended");
            }
        });
        Ok(sender)
    }

    fn put(&self, endpoint: SocketAddr, sender: Sender) {
        let mut idle = self.idle.lock();
        let connections = idle.entry(endpoint).or_default();
        if connections.len() < IDLE_PER_ENDPOINT {
            connections.push(Idle {
                sender,
                since: Instant::now(),
            });
        }
    }

    fn drop_stale(&self) {
        self.idle.lock().retain(|_, connections| {
            connections.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < IDLE_LIFE);
            !connections.is_empty()
        });
    }
}

async fn sweep(pool: Weak<Pool>) {
    let mut ticks = interval(IDLE_LIFE / 2);
    loop {
        ticks.tick().await;
        match pool.upgrade() {
            Some(pool) => pool.drop_stale(),
            None => return,
        }
    }
}

/// A connection in use; it goes back to its pool when the answer has passed.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) pool: Arc<Pool>,
    pub(crate) endpoint: SocketAddr,
    pub(crate) sender: Sender,
}

impl Lease {
    /// Gives the connection back, as soon as it can take the next request.
    pub(crate) fn give_back(self) {
        let Self {
            pool,
            endpoint,
            mut sender,
        } = self;
        if sender.is_ready() {
            return pool.put(endpoint, sender);
        }
        if sender.is_closed() {
            return;
        }
        // The answer came before the whole request was sent, or the connection has not yet seen its end.
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(READ_TIMEOUT, sender.ready()).await {
                pool.put(endpoint, sender);
            }
        });
    }
}
