//! The doors: listeners, TLS, HTTP/1.1 and HTTP/2, and the graceful end.

use std::{convert::Infallible, future::Future, net::IpAddr, sync::Arc};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::{
    body::ResponseBody,
    data_plane::DataPlane,
    limits::{ACCEPT_PAUSE, DRAIN, HANDSHAKE_TIMEOUT, HEAD_TIMEOUT, PING_INTERVAL, PING_TIMEOUT},
};

impl DataPlane {
    /// Serves plain HTTP, which redirects, until `shutdown`; requests under way then have five seconds.
    pub async fn serve_plain(self: Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        let open = move |stream: TcpStream, peer: IpAddr, end: End| {
            let plane = self.clone();
            async move {
                let answer = move |request| {
                    let plane = plane.clone();
                    async move { plane.answer_plain(peer, request).await }
                };
                converse(stream, Protocol::Http1, answer, end).await;
            }
        };
        accept(listener, shutdown, open).await;
    }

    /// Serves HTTPS until `shutdown`; requests under way then have five seconds. Upgraded connections end with the
    /// last of them.
    pub async fn serve_tls(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Arc<rustls::ServerConfig>,
        shutdown: CancellationToken,
    ) {
        let acceptor = TlsAcceptor::from(tls);
        let closing = self.closing.clone();
        let open = move |stream: TcpStream, peer: IpAddr, end: End| {
            let (plane, acceptor) = (self.clone(), acceptor.clone());
            async move {
                let Some(stream) = shake_hands(&acceptor, stream, &end).await else {
                    return;
                };
                let protocol = Protocol::agreed(&stream);
                let answer = move |request| {
                    let plane = plane.clone();
                    async move { plane.answer_secure(peer, request).await }
                };
                converse(stream, protocol, answer, end).await;
            }
        };
        accept(listener, shutdown, open).await;
        closing.cancel();
    }
}

/// What ends a connection: the wish to stop, which lets requests finish, and the end of patience with them.
struct End {
    watcher: Watcher,
    stopping: CancellationToken,
    cut: CancellationToken,
}

/// What is spoken on a connection: agreed on beforehand, so that nobody waits for first bytes to find it out.
#[derive(Clone, Copy)]
enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    fn agreed(stream: &TlsStream<TcpStream>) -> Self {
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Self::Http2,
            _ => Self::Http1,
        }
    }
}

async fn accept<O, F>(listener: TcpListener, shutdown: CancellationToken, open: O)
where
    O: Fn(TcpStream, IpAddr, End) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let (graceful, cut) = (GracefulShutdown::new(), CancellationToken::new());
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Small answers go out at once; failing to say so costs only time.
                let _ = stream.set_nodelay(true);
                let end = End {
                    watcher: graceful.watcher(),
                    stopping: shutdown.clone(),
                    cut: cut.clone(),
                };
                tokio::spawn(open(stream, peer.ip().to_canonical(), end));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::debug!("requests still under way are cut off");
    }
    cut.cancel();
}

async fn shake_hands(acceptor: &TlsAcceptor, stream: TcpStream, end: &End) -> Option<TlsStream<TcpStream>> {
    let finished = tokio::select! {
        finished = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => finished,
        () = end.stopping.cancelled() => return None,
    };
    match finished {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("TLS handshake took too long");
            None
        }
    }
}

/// Answers the requests of one connection until it ends.
async fn converse<S, A, F>(stream: S, protocol: Protocol, answer: A, end: End)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    let builder = match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    };
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = end.watcher.watch(connection.into_owned()) => ended,
        () = end.cut.cancelled() => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
