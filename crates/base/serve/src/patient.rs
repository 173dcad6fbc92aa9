//! A stream whose peer must go on taking what is sent: one that takes nothing for too long is cut off, or it would hold
//! its connection, and what waits in it, for ever.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// The stream.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Whether nobody hurries the peer: on a connection that became something else, silence may be meant.
    endless: Arc<AtomicBool>,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<S> Patient<S> {
    /// Cuts the peer off when it takes nothing for so long, until `endless` is set.
    pub(crate) fn new(stream: S, patience: Duration, endless: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            patience,
            endless,
            timer: None,
            waiting: false,
        }
    }

    /// Passes on what came of a try to write, or the end of patience.
    fn tried<T>(&mut self, tried: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if tried.is_ready() || self.endless.load(Ordering::Relaxed) {
            self.waiting = false;
            return tried;
        }
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(timer.as_mut().poll(context));
        self.waiting = false;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.tried(tried, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.tried(tried, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_flush(context);
        self.tried(tried, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_shutdown(context);
        self.tried(tried, context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn pair(endless: bool) -> (Patient<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(16);
        let endless = Arc::new(AtomicBool::new(endless));
        (Patient::new(ours, SHORT, endless), theirs)
    }

    #[tokio::test]
    async fn who_takes_nothing_is_cut_off() {
        let (mut ours, _theirs) = pair(false);
        let problem = ours.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(problem.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_takes_a_little_now_and_then_is_served() {
        let (mut ours, mut theirs) = pair(false);
        let writing = tokio::spawn(async move { ours.write_all(&[0; 256]).await });
        let mut buffer = [0; 16];
        // Together longer than patience, each time shorter.
        for _ in 0..16 {
            tokio::time::sleep(SHORT / 4).await;
            theirs.read_exact(&mut buffer).await.unwrap();
        }
        writing.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_became_something_else_may_be_silent() {
        let (mut ours, _theirs) = pair(true);
        let waiting = tokio::time::timeout(SHORT * 4, ours.write_all(&[0; 64])).await;
        assert!(waiting.is_err(), "cut off");
    }
}
