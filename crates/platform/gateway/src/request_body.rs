//! The body of a request on its way to a tool: held to its limit, and read to its end where it is refused.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Version, header::EXPECT};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{runtime::Handle, time::timeout};

use crate::{body::BodyError, limits::LINGER};

/// The body of a request on its way to a tool; without one the request can be sent again.
#[derive(Debug, Default)]
pub(crate) struct RequestBody {
    flow: Option<Flow>,
}

/// What is still to come from the visitor.
#[derive(Debug)]
struct Flow {
    body: Incoming,
    left_bytes: u64,
    exceeded: Option<Arc<AtomicBool>>,
    is_http_1: bool,
    /// Whether the visitor sends nothing until it is told to, which happens with the first look at the body.
    is_awaited: bool,
}

impl RequestBody {
    /// The body of a request, held to this limit; the flag is raised when it turns out longer. There is no flag
    /// where the length is known: whoever calls has compared it.
    pub(crate) fn new(
        head: &http::request::Parts,
        body: Incoming,
        limit_bytes: u64,
    ) -> (Self, Option<Arc<AtomicBool>>) {
        if body.is_end_stream() {
            return (Self::default(), None);
        }
        let exceeded = body.size_hint().exact().is_none().then(Arc::default);
        let flow = Flow {
            body,
            left_bytes: limit_bytes,
            exceeded: exceeded.clone(),
            is_http_1: head.version != Version::HTTP_2,
            is_awaited: head.headers.contains_key(EXPECT),
        };
        (Self { flow: Some(flow) }, exceeded)
    }

    /// Lets go of the body of a request that is answered without it.
    pub(crate) fn pass_over(request: Request<Incoming>) {
        let (head, body) = request.into_parts();
        drop(Self::new(&head, body, 0));
    }

    /// Whether there is no body.
    pub(crate) fn is_empty(&self) -> bool {
        self.flow.is_none()
    }
}

impl Flow {
    /// Goes on reading for a while: a connection that is closed with bytes unread is reset, and takes the answer with
    /// it. HTTP/2 has a way to say this and needs none.
    fn drain(self) {
        if !self.is_http_1 || self.is_awaited || self.body.is_end_stream() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut body = self.body;
        runtime.spawn(timeout(LINGER, async move {
            while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {}
        }));
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(flow) = self.flow.take() {
            flow.drain();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(flow) = &mut self.flow else {
            return Poll::Ready(None);
        };
        flow.is_awaited = false;
        let frame = match ready!(Pin::new(&mut flow.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Broken(error)))),
            None => {
                self.flow = None;
                return Poll::Ready(None);
            }
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = flow.left_bytes.checked_sub(length) else {
            if let Some(exceeded) = &flow.exceeded {
                exceeded.store(true, Ordering::Relaxed);
            }
            if let Some(flow) = self.flow.take() {
                flow.drain();
            }
            return Poll::Ready(Some(Err(BodyError::TooLarge)));
        };
        flow.left_bytes = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.flow.as_ref().is_none_or(|flow| flow.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.flow
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |flow| flow.body.size_hint())
    }
}
