//! The body of a stream, such as a watch, that holds something until it ends, or is ended with a right.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::authz::open::Held;

/// The same body; `held` is dropped when it has ended, by itself or because its reader went away.
pub(crate) fn until_end<T: Send + Unpin + 'static>(inner: Body, held: T) -> Body {
    Body::new(Holding { inner, _held: held })
}

/// The same body, which ends when the right does that it was allowed by.
pub(crate) fn while_allowed(inner: Body, held: Arc<Held>) -> Body {
    Body::new(Allowed {
        inner,
        end: Box::pin(held.ends().cancelled_owned()),
        _held: held,
    })
}

struct Allowed {
    inner: Body,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
    _held: Arc<Held>,
}

impl HttpBody for Allowed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[derive(Debug)]
struct Holding<T> {
    inner: Body,
    _held: T,
}

impl<T: Unpin> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
