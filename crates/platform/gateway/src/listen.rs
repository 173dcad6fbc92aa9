//! The doors: what is served on plain and on TLS connections, in HTTP/1.1 and HTTP/2.

use std::{convert::Infallible, future::Future, sync::Arc};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    accept::{ConnectionInfo, End, Protocol, accept, shake_hands},
    body::ResponseBody,
    data_plane::DataPlane,
    limits::{HEAD_TIMEOUT, PING_INTERVAL, PING_TIMEOUT},
};

impl DataPlane {
    /// Serves plain HTTP, which redirects, until `shutdown`; requests under way then have five seconds.
    pub async fn serve_plain(self: Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        let open = move |stream: TcpStream, info: ConnectionInfo, end: End| {
            let plane = self.clone();
            async move {
                let peer = info.address();
                let answer = move |request| {
                    let plane = plane.clone();
                    async move { plane.answer_plain(peer, request).await }
                };
                converse(stream, info, answer, end).await;
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
        let open = move |stream: TcpStream, mut info: ConnectionInfo, end: End| {
            let (plane, acceptor) = (self.clone(), acceptor.clone());
            async move {
                let Some(stream) = shake_hands(&acceptor, stream, &mut info, &end).await else {
                    return;
                };
                let peer = info.address();
                let answer = move |request| {
                    let plane = plane.clone();
                    async move { plane.answer_secure(peer, request).await }
                };
                converse(stream, info, answer, end).await;
            }
        };
        accept(listener, shutdown, open).await;
        closing.cancel();
    }
}

/// Answers the requests of one connection until it ends.
async fn converse<S, A, F>(stream: S, info: ConnectionInfo, answer: A, end: End)
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
    let builder = match info.protocol() {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    };
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = end.watcher.watch(connection.into_owned()) => ended,
        () = end.cut.cancelled() => return,
    };
    if let Err(error) = ended {
        let server_name = info.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
        tracing::debug!(%error, local = %info.local, server_name, "connection ended");
    }
}
