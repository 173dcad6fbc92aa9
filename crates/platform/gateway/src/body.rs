//! The bodies of answers: our own, and those of tools, which give their connection back when they have passed. Nothing
//! is gathered: a frame is asked for when the visitor can take it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use crate::{limits::READ_TIMEOUT, pool::Lease};

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The other side broke off.
    #[error("the body broke off")]
    Broken(#[source] hyper::Error),
    /// The visitor sent more than a request may have.
    #[error("the request is larger than the limit")]
    TooLarge,
    /// The tool sent nothing for too long.
    #[error("the tool sent nothing for too long")]
    Idle,
}

/// The body of an answer on its way to the visitor.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    /// Of our own making.
    Own(Option<Bytes>),
    /// From a tool.
    Upstream(UpstreamBody),
}

impl ResponseBody {
    /// A body of our own making.
    pub(crate) fn own(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        Self::Own((!text.is_empty()).then_some(text))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Upstream(body) => body.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_none(),
            Self::Upstream(body) => body.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Upstream(body) => body.body.size_hint(),
        }
    }
}

/// A tool's body, together with the connection over which it comes.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    body: Incoming,
    lease: Option<Lease>,
    /// Made when the tool first keeps us waiting: most bodies are there with their head, and need no timer.
    patience: Option<Pin<Box<Sleep>>>,
}

impl UpstreamBody {
    pub(crate) fn new(body: Incoming, lease: Lease) -> Self {
        Self {
            body,
            lease: Some(lease),
            patience: None,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(READ_TIMEOUT)));
            ready!(patience.as_mut().poll(context));
            return Poll::Ready(Some(Err(BodyError::Idle)));
        };
        if let Some(patience) = &mut self.patience {
            patience.as_mut().reset(Instant::now() + READ_TIMEOUT);
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.give_back();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)))
    }

    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        // Answers without a body are never asked for a frame. A connection with some of the body still to come is
        // not given back, and so closed.
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}
