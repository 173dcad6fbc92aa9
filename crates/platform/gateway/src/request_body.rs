//! The body of a request on its way to a tool, held to its limit.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::{body::BodyError, http1::upload::Upload};

/// A request of a visitor. On its way it is kept on the heap, so that whoever hands it on has no room for it.
pub(crate) type Visited = http::Request<VisitorBody>;

/// What a visitor sends after the head of a request.
#[derive(Debug, Default)]
pub(crate) enum VisitorBody {
    /// Nothing.
    #[default]
    Empty,
    /// A body over HTTP/1.1.
    Http1(Upload),
    /// A body over HTTP/2.
    Http2(Incoming),
}

impl VisitorBody {
    /// The body of a request over HTTP/2.
    pub(crate) fn http2(body: Incoming) -> Self {
        if body.is_end_stream() {
            Self::Empty
        } else {
            Self::Http2(body)
        }
    }

    /// The length still to come, where the visitor named it.
    pub(crate) fn left_bytes(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Http1(body) => body.left_bytes(),
            Self::Http2(body) => body.size_hint().exact(),
        }
    }

    fn has_ended(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Http1(body) => body.has_ended(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }
}

/// The body of a request on its way to a tool; without one the request can be sent again.
#[derive(Debug, Default)]
pub(crate) struct RequestBody {
    body: VisitorBody,
    left_bytes: u64,
}

impl RequestBody {
    /// The body of a request, held to this limit.
    pub(crate) fn new(body: VisitorBody, limit_bytes: u64) -> Self {
        Self {
            body,
            left_bytes: limit_bytes,
        }
    }

    /// Whether there is no body.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.body, VisitorBody::Empty)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.body {
            VisitorBody::Empty => None,
            VisitorBody::Http1(body) => ready!(body.poll_frame(context)),
            VisitorBody::Http2(body) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                frame.map(|frame| frame.map_err(|error| BodyError::Broken(io::Error::other(error))))
            }
        };
        let Some(Ok(frame)) = frame else {
            self.body = VisitorBody::Empty;
            return Poll::Ready(frame);
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = self.left_bytes.checked_sub(length) else {
            self.body = VisitorBody::Empty;
            return Poll::Ready(Some(Err(BodyError::TooLarge)));
        };
        self.left_bytes = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.has_ended()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.body.left_bytes();
        length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
