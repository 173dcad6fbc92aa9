//! Small tools for the gateway to stand before.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Collected, Full, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};

use crate::scene::listener;

pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A tool, and how many connections it was sent.
pub(crate) struct Tool {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Tool {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// A tool that answers each request with what the function makes of it.
    pub(crate) async fn new<F, R>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::on_connection(move |stream| {
            let answer = answer.clone();
            async move {
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        })
        .await
    }

    /// A tool that does what the function does with each connection.
    pub(crate) async fn on_connection<F, R>(talk: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(talk(stream));
            }
        });
        Self { address, connections }
    }

    /// A tool that reads one request without a body from each connection, writes this, and closes it.
    pub(crate) async fn saying(bytes: &'static str) -> Self {
        Self::on_connection(move |mut stream| async move {
            if !read_head(&mut stream).await.is_empty() {
                let _ = stream.write_all(bytes.as_bytes()).await;
            }
        })
        .await
    }

    /// A tool that answers with its name.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::new(move |_| async move { text(name) }).await
    }

    /// A tool that answers with the head of the request as it got it, and its body.
    pub(crate) async fn mirror() -> Self {
        Self::new(|request| async move {
            let (head, body) = request.into_parts();
            let mut seen = format!("{} {}\n", head.method, head.uri);
            for (name, value) in &head.headers {
                seen.extend([name.as_str(), ": ", value.to_str().unwrap(), "\n"]);
            }
            let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
            seen.extend(["\n", &String::from_utf8_lossy(&body)]);
            text(seen)
        })
        .await
    }
}

/// An answer with this text.
pub(crate) fn text(text: impl Into<Bytes>) -> Response<Body> {
    Response::new(Full::new(text.into()).boxed())
}

/// Everything up to the empty line; nothing when the connection was closed before.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

/// A body that the test sends frame by frame.
pub(crate) struct Frames(mpsc::UnboundedReceiver<Frame<Bytes>>);

/// The sending end of such a body.
pub(crate) type FrameSender = mpsc::UnboundedSender<Frame<Bytes>>;

impl Frames {
    pub(crate) fn body() -> (FrameSender, Body) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver).boxed())
    }
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}
