//! The connections to endpoints that speak HTTP/2, each of them shared by many requests.
//!
//! They belong to one data plane. Nothing is known here of requests: when one may be sent again is decided in `exchange`.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use futures::task::AtomicWaker;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, sync::oneshot, time::timeout};
use toolforge_annotations::Timeouts;

use super::tool::Passed;
use crate::{
    announcement::Announcement,
    http1::tool::{ConnectError, connect},
    limits::{
        CONNECT_TIMEOUT, HTTP2_FIELDS_BYTES, HTTP2_STREAM_BYTES, HTTP2_STREAMS, IDLE_LIFE, PING_INTERVAL,
        PING_TIMEOUT,
    },
};

type Http2Connection = http2::Connection<TokioIo<TcpStream>, Passed, Nudging>;

/// The connections of a data plane, by endpoint.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<HashMap<SocketAddr, Arc<Lane>>>);

/// The connections to one endpoint.
#[derive(Debug, Default)]
struct Lane {
    connections: Mutex<Vec<Shared>>,
    /// Held by whoever opens another one, so that those who come meanwhile can share it.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Shared {
    sender: SendRequest<Passed>,
    usage: Arc<Usage>,
}

#[derive(Debug)]
struct Usage {
    /// Requests under way.
    under_way: AtomicUsize,
    /// How many there may be: what the endpoint allows, and no more than we wish.
    limit: AtomicUsize,
    /// When the last one ended.
    rests_since: Mutex<Instant>,
}

/// A place for one request on a connection. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) sender: SendRequest<Passed>,
    pub(crate) held: Held,
    /// Whether the connection was opened for this request.
    pub(crate) is_fresh: bool,
}

/// Holds the place.
#[derive(Debug)]
pub(crate) struct Held(Arc<Usage>);

impl Drop for Held {
    fn drop(&mut self) {
        *self.0.rests_since.lock() = Instant::now();
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// A place on a connection to the endpoint: one that is open, or a new one where all are full.
    pub(crate) async fn place(&self, endpoint: SocketAddr) -> Result<Place, ConnectError> {
        let lane = self.0.lock().entry(endpoint).or_default().clone();
        if let Some(place) = lane.free() {
            return Ok(place);
        }
        // Who waits for another one's attempt has waited for as long as an attempt may take.
        let opened = timeout(CONNECT_TIMEOUT, async {
            let _opening = lane.opening.lock().await;
            match lane.free() {
                Some(place) => Ok(place),
                None => lane.open(endpoint).await,
            }
        });
        opened.await.unwrap_or(Err(ConnectError::Timeout))
    }

    /// Closes connections that nobody used for long, and forgets those that are closed.
    pub(crate) fn drop_stale(&self) {
        self.0.lock().retain(|_, lane| {
            let mut connections = lane.connections.lock();
            connections.retain(|shared| !shared.is_stale());
            !connections.is_empty() || Arc::strong_count(lane) > 1
        });
    }
}

impl Lane {
    fn free(&self) -> Option<Place> {
        let mut connections = self.connections.lock();
        connections.retain(|shared| !shared.sender.is_closed());
        connections.iter().find_map(|shared| shared.place(false))
    }

    async fn open(&self, endpoint: SocketAddr) -> Result<Place, ConnectError> {
        let shared = Shared::open(endpoint, &[]).await?;
        let place = shared.place(true);
        self.connections.lock().push(shared);
        // It may have changed its mind.
        place.ok_or(ConnectError::Timeout)
    }
}

impl Shared {
    /// Opens a connection that begins with these bytes. It is there when the endpoint has said how many requests it takes at
    /// once, which it does before anything else: so it is known to speak HTTP/2 before it is sent anything.
    async fn open(endpoint: SocketAddr, begin: &[u8]) -> Result<Self, ConnectError> {
        let mut stream = connect(endpoint, Timeouts::default()).await?;
        stream.write_all(begin).await.map_err(ConnectError::Refused)?;
        let nudge = Arc::new(AtomicWaker::new());
        let builder = builder(Nudging(nudge.clone()));
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) =
            handshake.map_err(|error| ConnectError::Refused(io::Error::other(error)))?;
        let usage = Arc::new(Usage {
            under_way: AtomicUsize::new(0),
            limit: AtomicUsize::new(0),
            rests_since: Mutex::new(Instant::now()),
        });
        let (speaks, spoken) = oneshot::channel();
        tokio::spawn(keep(connection, nudge, usage.clone(), speaks, endpoint));
        if spoken.await.is_err() {
            let error = io::Error::other("it does not speak HTTP/2");
            return Err(ConnectError::Refused(error));
        }
        Ok(Self { sender, usage })
    }
}

/// A place on a connection that begins with this announcement, and that nobody else has a place on.
pub(crate) async fn own_place(
    endpoint: SocketAddr,
    announcement: Announcement,
) -> Result<Place, ConnectError> {
    let header = announcement.header(endpoint);
    let opened = timeout(CONNECT_TIMEOUT, Shared::open(endpoint, &header)).await;
    let shared = opened.unwrap_or(Err(ConnectError::Timeout))?;
    shared.place(true).ok_or(ConnectError::Timeout)
}

/// Moves the bytes of a connection until it ends, noting how many requests the endpoint allows.
async fn keep(
    connection: Http2Connection,
    nudge: Arc<AtomicWaker>,
    usage: Arc<Usage>,
    speaks: oneshot::Sender<()>,
    endpoint: SocketAddr,
) {
    let (mut connection, mut speaks) = (pin!(connection), Some(speaks));
    let ended = poll_fn(|context| {
        if speaks.is_some() {
            nudge.register(context.waker());
        }
        let polled = connection.as_mut().poll(context);
        let allowed = connection.current_max_send_streams();
        usage.limit.store(allowed.min(HTTP2_STREAMS), Ordering::Relaxed);
        if allowed > 0
            && let Some(speaks) = speaks.take()
        {
            // Whoever asked may have left.
            let _ = speaks.send(());
        }
        polled
    });
    if let Err(error) = ended.await {
        tracing::debug!(%endpoint, %error, "connection to an endpoint ended");
    }
}

impl Shared {
    /// A place, if there is one left.
    fn place(&self, is_fresh: bool) -> Option<Place> {
        let limit = self.usage.limit.load(Ordering::Relaxed);
        let one_more = |count| (count < limit).then_some(count + 1);
        let taken = self
            .usage
            .under_way
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Place {
            sender: self.sender.clone(),
            held: Held(self.usage.clone()),
            is_fresh,
        })
    }

    fn is_stale(&self) -> bool {
        let rests = self.usage.under_way.load(Ordering::Relaxed) == 0;
        self.sender.is_closed() || rests && self.usage.rests_since.lock().elapsed() >= IDLE_LIFE
    }
}

/// Runs what moves the bytes, and wakes after each step whoever waits for what the endpoint says first: hyper tells nobody
/// when it has come.
#[derive(Clone, Debug)]
struct Nudging(Arc<AtomicWaker>);

impl<F> hyper::rt::Executor<F> for Nudging
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let nudge = self.0.clone();
        tokio::spawn(async move {
            let mut future = pin!(future);
            poll_fn(|context| {
                let polled = future.as_mut().poll(context);
                nudge.wake();
                polled
            })
            .await
        });
    }
}

fn builder(executor: Nudging) -> http2::Builder<Nudging> {
    let mut builder = http2::Builder::new(executor);
    let streams = u32::try_from(HTTP2_STREAMS).unwrap_or(u32::MAX);
    builder
        .timer(TokioTimer::new())
        // Until it is said how many.
        .initial_max_send_streams(0)
        .initial_stream_window_size(HTTP2_STREAM_BYTES)
        // Enough for all of them, so that a visitor who takes nothing does not hold up the others.
        .initial_connection_window_size(HTTP2_STREAM_BYTES * streams)
        .max_send_buf_size(HTTP2_STREAM_BYTES as usize)
        .max_header_list_size(HTTP2_FIELDS_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
