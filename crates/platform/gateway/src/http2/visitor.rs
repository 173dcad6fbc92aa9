//! Requests of visitors over HTTP/2, each of which is a task: one whose visitor takes nothing of its answer for too long is given up,
//! as over HTTP/1.1, and leaves its place among the requests of its tool.
//!
//! A body is asked for more only when the visitor has room for more, so that it cannot tell by itself that nobody takes what it has.
//! But it says what it did when it was asked last, and whoever runs the task hears that.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::rt::Executor;
use pin_project_lite::pin_project;

use crate::{http1::Patience, limits::STREAM_WRITE_TIMEOUT};

thread_local! {
    /// What a body did last in the task that runs.
    static LAST: Cell<Did> = const { Cell::new(Did::Nothing) };
}

/// What a body did when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// It was not asked.
    Nothing,
    /// It waits for the tool.
    Wait,
    /// It gave a piece, or ended.
    Give,
}

/// Says what a body did.
pub(crate) fn did(what: Did) {
    LAST.set(what);
}

/// Runs them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(Watched {
            stream,
            patience: None,
        });
    }
}

pin_project! {
    /// Runs a stream to its end, or until a piece of its answer has waited for its visitor for too long. Dropped, it is reset.
    struct Watched<F> {
        #[pin]
        stream: F,
        // How long the visitor may still take nothing of what waits for it.
        patience: Option<Patience>,
    }
}

impl<F: Future<Output = ()>> Future for Watched<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        did(Did::Nothing);
        if this.stream.poll(context).is_ready() {
            return Poll::Ready(());
        }
        match LAST.get() {
            Did::Nothing => {}
            Did::Wait => *this.patience = None,
            Did::Give => *this.patience = Some(Patience::new(STREAM_WRITE_TIMEOUT)),
        }
        let Some(patience) = this.patience else {
            return Poll::Pending;
        };
        patience.poll_over(context).map(|()| {
            tracing::debug!("a visitor took nothing of an answer over HTTP/2 for too long");
        })
    }
}
