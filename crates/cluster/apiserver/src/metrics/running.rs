//! A stream that counts as open until it ends, by itself or because its reader went away.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use prometheus_client::metrics::gauge::Gauge;

/// Counts one more while it is there.
#[derive(Debug)]
pub(crate) struct Running(Gauge);

impl Running {
    pub(super) fn begin(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }

    /// The body of the stream, which keeps counting until it ends.
    pub(crate) fn with(self, inner: Body) -> Body {
        Body::new(Counted {
            inner,
            _running: self,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Debug)]
struct Counted {
    inner: Body,
    _running: Running,
}

impl HttpBody for Counted {
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
