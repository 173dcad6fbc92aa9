//! Connections that became something else, such as a WebSocket: bytes go both ways until one side ends.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{limits::READ_TIMEOUT, rewound::Rewound};

/// A side of a tunnel: a connection, and what was read of it already.
pub(crate) type Side<S> = (S, Bytes);

/// Joins the visitor's connection with the tool's until one of them ends, nothing passes for long, or the gateway
/// closes.
pub(crate) async fn join<V, T>(visitor: Side<V>, tool: Side<T>, closing: CancellationToken)
where
    V: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let moved = Arc::new(AtomicBool::new(true));
    let mut visitor = Noticed::new(visitor, &moved);
    let mut tool = Noticed::new(tool, &moved);
    let ended = tokio::select! {
        ended = copy_bidirectional(&mut visitor, &mut tool) => ended.map(drop),
        () = silence(&moved) => Ok(()),
        () = closing.cancelled() => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an upgraded connection broke");
    }
}

/// Returns when nothing moved for [`READ_TIMEOUT`], and at the latest after twice that time.
async fn silence(moved: &AtomicBool) {
    while moved.swap(false, Ordering::Relaxed) {
        sleep(READ_TIMEOUT).await;
    }
}

/// A connection that notes when something was read from it.
struct Noticed<S> {
    io: Rewound<S>,
    moved: Arc<AtomicBool>,
}

impl<S> Noticed<S> {
    fn new((io, first): Side<S>, moved: &Arc<AtomicBool>) -> Self {
        Self {
            io: Rewound::new(io, first),
            moved: moved.clone(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noticed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.io).poll_read(context, buffer));
        self.moved.store(true, Ordering::Relaxed);
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noticed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
