//! Our ends of a program's streams, without blocking: pipes and terminals alike.

use std::{
    io,
    os::fd::OwnedFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use rustix::io::ioctl_fionbio;
use tokio::io::{AsyncWrite, Interest, unix::AsyncFd};

use crate::{session::Output, sys::reactor::watched};

/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 32 << 10;

/// One descriptor that is read, written, or both.
#[derive(Debug, Clone)]
pub(super) struct End(Arc<AsyncFd<OwnedFd>>);

impl End {
    /// Takes a descriptor; within a tokio runtime.
    pub(super) fn new(fd: OwnedFd, interest: Interest) -> io::Result<Self> {
        ioctl_fionbio(&fd, true)?;
        Ok(Self(Arc::new(watched(fd, interest)?)))
    }

    /// The descriptor itself.
    pub(super) fn fd(&self) -> &OwnedFd {
        self.0.get_ref()
    }

    /// What can be read, until the last writer has gone. A terminal then fails instead of ending.
    pub(super) fn output(self) -> Output {
        Box::pin(futures::stream::unfold(self, |end| async move {
            let piece = end.read().await.ok().filter(|piece| !piece.is_empty())?;
            Some((piece, end))
        }))
    }

    async fn read(&self) -> io::Result<Bytes> {
        let read = |fd: &OwnedFd| {
            let mut buffer = BytesMut::zeroed(CHUNK_BYTES);
            let length = retried(|| rustix::io::read(fd, &mut buffer[..]))?;
            buffer.truncate(length);
            Ok(buffer.freeze())
        };
        self.0.async_io(Interest::READABLE, read).await
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(context))?;
            let written = ready.try_io(|fd| retried(|| rustix::io::write(fd, bytes)));
            if let Ok(written) = written {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends with the last of it that is dropped.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn retried(mut call: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}
