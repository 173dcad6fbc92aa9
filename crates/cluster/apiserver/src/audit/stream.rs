//! The body of a stream, such as a watch, whose end is written to the log.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::event::Audited;

/// A body that tells when it has ended, by itself or because its reader went away.
#[derive(Debug)]
pub(super) struct Watched {
    inner: Body,
    audited: Audited,
}

impl Watched {
    pub(super) fn new(inner: Body, audited: Audited) -> Self {
        Self { inner, audited }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.audited.finish_stream();
    }
}

impl HttpBody for Watched {
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
