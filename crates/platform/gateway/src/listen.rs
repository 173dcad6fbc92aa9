//! The doors: what is served on plain and on TLS connections, in HTTP/1.1 and HTTP/2.

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{HeaderMap, Request, Response};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    PlainHttp,
    accept::{ConnectionInfo, Protocol, accept, shake_hands},
    body::ResponseBody,
    data_plane::DataPlane,
    drain::Ending,
    http1::visitor::{self, Ended},
    http2::visitor::Streams,
    limits::{HTTP2_FIELDS_BYTES, PING_INTERVAL, PING_TIMEOUT},
    proxy_header::take_header,
    request_body::{Visited, VisitorBody},
    rewound::Rewound,
    seen::tally::{Event, Tally},
    visit::Scheme,
};

/// What ends connections, and where they are counted.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    pub(crate) ending: Ending,
    pub(crate) tally: Arc<Tally>,
    /// What an answer carries that no data plane makes, since it could not be understood what is asked. Shared by the
    /// thousands of connections that wait.
    pub(crate) carried: Arc<HeaderMap>,
}

impl DataPlane {
    /// Serves the plain listener until `shutdown`; what is open then may end as the settings say.
    pub async fn serve_plain(
        self: Arc<Self>,
        listener: TcpListener,
        plain: PlainHttp,
        shutdown: CancellationToken,
    ) {
        let scheme = match plain {
            PlainHttp::Redirect => None,
            PlainHttp::Serve => Some(Scheme::Http),
        };
        let ends = self.ends(&shutdown, scheme);
        let (ending, drain) = (ends.ending.clone(), self.drain());
        let open = move |mut stream: TcpStream, mut info: ConnectionInfo| {
            let (plane, ends) = (self.clone(), ends.clone());
            async move {
                if plane.rules().proxies_http.holds(info.address())
                    && !take_header(&mut stream, &mut info, &ends.ending.leaving).await
                {
                    return;
                }
                let peer = info.address();
                let answer = move |request| {
                    let plane = plane.clone();
                    async move {
                        match plain {
                            PlainHttp::Redirect => plane.lead_to_https(peer, request).await,
                            PlainHttp::Serve => plane.answer_plain(peer, request).await,
                        }
                    }
                };
                converse(stream, info, answer, ends).await;
            }
        };
        accept(listener, ending, drain, open).await;
    }

    /// Serves HTTPS until `shutdown`; what is open then may end as the settings say.
    pub async fn serve_tls(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Arc<rustls::ServerConfig>,
        shutdown: CancellationToken,
    ) {
        let acceptor = TlsAcceptor::from(tls);
        let ends = self.ends(&shutdown, Some(Scheme::Https));
        let (ending, drain) = (ends.ending.clone(), self.drain());
        let open = move |mut stream: TcpStream, mut info: ConnectionInfo| {
            let (plane, acceptor, ends) = (self.clone(), acceptor.clone(), ends.clone());
            async move {
                if plane.rules().proxies_https.holds(info.address())
                    && !take_header(&mut stream, &mut info, &ends.ending.leaving).await
                {
                    return;
                }
                let Some(stream) = shake_hands(&acceptor, stream, &mut info, &ends.ending.leaving).await
                else {
                    ends.tally.happened(Event::Handshake);
                    return;
                };
                // On the heap: it is large, and handed on several times.
                let stream = Box::new(stream);
                let peer = info.address();
                let answer = move |request| {
                    let plane = plane.clone();
                    async move { plane.answer(peer, Scheme::Https, request).await }
                };
                converse(stream, info, answer, ends).await;
            }
        };
        accept(listener, ending, drain, open).await;
    }

    fn ends(&self, shutdown: &CancellationToken, served_over: Option<Scheme>) -> Ends {
        Ends {
            carried: Arc::new(served_over.map(Self::carried).unwrap_or_default()),
            ending: Ending {
                stopping: shutdown.clone(),
                leaving: CancellationToken::new(),
                closing: self.closing.clone(),
                upgraded: self.upgraded.clone(),
            },
            tally: self.tally.clone(),
        }
    }
}

/// Answers the requests of one connection until it ends.
async fn converse<S, A, F>(stream: S, info: ConnectionInfo, answer: A, ends: Ends)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Box<Visited>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    let _open = ends.tally.connections.one();
    // On the heap, so that connections on which HTTP/1.1 is spoken do not have room for it.
    if info.protocol() == Protocol::Http2 {
        return Box::pin(converse_http2(stream, info, answer, ends.ending)).await;
    }
    let is_plain = info.tls.is_none();
    let ended = visitor::converse(stream, answer.clone(), &ends).await;
    // Over TLS it was agreed what is spoken.
    if let Ended::Http2(stream, first) = ended
        && is_plain
    {
        Box::pin(converse_http2(
            Rewound::new(stream, first),
            info,
            answer,
            ends.ending,
        ))
        .await;
    }
}

/// Answers the requests of one HTTP/2 connection until it ends; after the stop those under way, and the first of all.
async fn converse_http2<S, A, F>(stream: S, info: ConnectionInfo, answer: A, ending: Ending)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Box<Visited>) -> F + Send + 'static,
    F: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    let first = Arc::new(First::default());
    let asked = first.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        asked.came();
        // On the heap: what is spawned for each stream is moved several times.
        let answered = Box::pin(answer(Box::new(request.map(VisitorBody::http2))));
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let mut builder = http2::Builder::new(Streams);
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(HTTP2_FIELDS_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = may_go_away(&ending, &first) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        let server_name = info.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
        tracing::debug!(%error, server_name, "connection ended");
    }
}

/// Returns when a connection may be told to go away. Not before its first request: clients that make a connection for one
/// take it for lost then, while for those after it they make another connection.
async fn may_go_away(ending: &Ending, first: &First) {
    ending.stopping.cancelled().await;
    tokio::select! {
        () = first.wait() => {}
        () = ending.leaving.cancelled() => {}
    }
}

/// Whether a connection has had its first request.
#[derive(Debug, Default)]
struct First {
    has_come: AtomicBool,
    news: Notify,
}

impl First {
    fn came(&self) {
        if !self.has_come.load(Ordering::Relaxed) {
            self.has_come.store(true, Ordering::Relaxed);
            // Kept for the one who waits, if it comes later.
            self.news.notify_one();
        }
    }

    async fn wait(&self) {
        if !self.has_come.load(Ordering::Relaxed) {
            self.news.notified().await;
        }
    }
}
