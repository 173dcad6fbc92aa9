//! The accept loop: from a listener and a router to answered requests, until it is told to stop.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Extension, Router, http::StatusCode, response::Response};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::{
    Layer as _,
    util::{MapFuture, MapResponse},
};

use crate::patient::Patient;
use crate::peer::Peer;
use crate::places::{Place, Places};

/// A peer that has not finished its handshake, or sent its request head, within this time is cut off:
/// long enough for a slow line, short enough that idle connections do not pile up.
const PATIENCE: Duration = Duration::from_secs(30);
/// A peer that takes nothing of what is sent to it within this time is cut off; longer than the first, for a laptop
/// that closes its lid over a large answer may open it again.
const SENDING_PATIENCE: Duration = Duration::from_mins(1);
/// How long requests that are under way may take to finish after the stop: watches end by themselves at
/// once, and nobody who pressed Ctrl-C wants to wait longer.
const DRAIN: Duration = Duration::from_secs(5);
/// The pause after the system refused a connection, as it does when out of file descriptors: without one
/// the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener`, over TLS where a configuration is given, until `shutdown`.
/// Requests under way then have five seconds to finish.
///
/// # Errors
/// None so far as connections go: those are logged at debug level and end alone.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    accept(None, DRAIN, listener, tls, router, shutdown).await
}

/// As [`serve`], with so much time for the requests under way.
///
/// # Errors
/// As [`serve`].
pub async fn serve_and_drain(
    drain: Duration,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    accept(None, drain, listener, None, router, shutdown).await
}

/// As [`serve`], with at most so many connections at once: for another one the one that has been silent longest makes room,
/// or, where requests are under way on all of them for a second, the one that has been at its own longest.
///
/// # Errors
/// As [`serve`].
pub async fn serve_at_most(
    connections: usize,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let places = Some(Places::new(connections));
    accept(places, DRAIN, listener, tls, router, shutdown).await
}

async fn accept(
    places: Option<Arc<Places>>,
    drain: Duration,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let acceptor = tls.map(TlsAcceptor::from);
    let graceful = GracefulShutdown::new();
    let cut = CancellationToken::new();
    loop {
        let accepting = async {
            let accepted = listener.accept().await;
            let place = match &places {
                Some(places) if accepted.is_ok() => Some(places.take(&cut).await),
                _ => None,
            };
            (place.map(Arc::new), accepted)
        };
        let (place, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepting => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let connection = Connection {
                    router: router.clone(),
                    watcher: graceful.watcher(),
                    shutdown: shutdown.clone(),
                    cut: place
                        .as_ref()
                        .map_or_else(|| cut.clone(), |place| place.cut().clone()),
                    place,
                    address,
                };
                tokio::spawn(connection.run(stream, acceptor.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::debug!("requests still under way are cut off");
        cut.cancel();
    }
    Ok(())
}

struct Connection {
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
    shutdown: CancellationToken,
    cut: CancellationToken,
    /// Where connections are limited.
    place: Option<Arc<Place>>,
    address: SocketAddr,
}

/// What is spoken on a connection. It is agreed on before the first byte: nobody waits to find it out, so a
/// silent peer meets the time limit of its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

impl Connection {
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        // Small answers go out at once; failing to say so costs only time.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = acceptor else {
            return self.answer(stream, Protocol::Http1, None).await;
        };
        let handshake = tokio::time::timeout(PATIENCE, acceptor.accept(stream));
        let finished = tokio::select! {
            () = self.shutdown.cancelled() => return,
            () = self.cut.cancelled() => return,
            finished = handshake => finished,
        };
        match finished {
            Ok(Ok(stream)) => {
                let session = stream.get_ref().1;
                let protocol = if session.alpn_protocol() == Some(b"h2") {
                    Protocol::Http2
                } else {
                    Protocol::Http1
                };
                let chain = session.peer_certificates();
                let certificate = chain
                    .and_then(|chain| chain.first())
                    .map(|first| first.as_ref().to_vec());
                self.answer(stream, protocol, certificate).await;
            }
            Ok(Err(error)) => tracing::debug!(peer = %self.address, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %self.address, "TLS handshake took too long"),
        }
    }

    async fn answer<S>(self, stream: S, protocol: Protocol, certificate: Option<Vec<u8>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Peer::new(self.address, certificate);
        // What a connection becomes has its own idea of silence: a terminal may be held for a long time.
        let upgraded = Arc::new(AtomicBool::new(false));
        let stream = Patient::new(stream, SENDING_PATIENCE, Arc::clone(&upgraded));
        // Around the router, not laid over each of its routes: that would copy them all for every connection.
        let router = Extension(peer).layer(self.router);
        let service = MapResponse::new(router, move |response: Response| {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                upgraded.store(true, Ordering::Relaxed);
            }
            response
        });
        let place = self.place.clone();
        let service = TowerToHyperService::new(MapFuture::new(service, move |answer| {
            let busy = place.as_ref().map(|place| place.busy());
            async move {
                let answer: Result<Response, Infallible> = answer.await;
                drop(busy);
                answer
            }
        }));
        let builder = Builder::new(TokioExecutor::new());
        let mut builder = match protocol {
            Protocol::Http1 => builder.http1_only(),
            Protocol::Http2 => builder.http2_only(),
        };
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE);
        builder.http2().timer(TokioTimer::new()).enable_connect_protocol();
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let served = self.watcher.watch(connection.into_owned());
        tokio::select! {
            () = self.cut.cancelled() => {}
            ended = served => if let Err(error) = ended {
                tracing::debug!(peer = %self.address, %error, "connection ended");
            },
        }
    }
}
