//! One exchange with a backend: the request goes to one of its endpoints, and the answer comes back.
//!
//! When a request may be sent a second time is decided here and nowhere else: when nothing of it was sent, or when
//! it has no body, its method is safe, and a kept-alive connection died under it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::timeout;
use toolforge_routing::Backend;

use crate::{
    limits::READ_TIMEOUT,
    pool::{ConnectError, Lease, Pool, Sender},
    request_body::RequestBody,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// No endpoint took the connection.
    #[error("no endpoint takes the connection")]
    Unreachable(#[source] Option<ConnectError>),
    /// The connection broke before the answer came.
    #[error("the endpoint broke off before it answered")]
    Broken(#[source] hyper::Error),
    /// No answer in time.
    #[error("the endpoint did not answer in time")]
    Timeout,
    /// The request turned out larger than it may be.
    #[error("the request is larger than the limit")]
    TooLarge,
}

/// What became of a request that was handed to a connection.
enum Sent {
    Answered(Response<Incoming>, Sender),
    /// Nothing of it was sent.
    Unsent(Box<Request<RequestBody>>),
    Lost(hyper::Error),
    Timeout,
}

/// Sends the request to an endpoint of the backend, beginning with the `turn`th, and going on to the next where an
/// endpoint takes no connection.
pub(crate) async fn exchange(
    pool: &Arc<Pool>,
    backend: &Backend,
    turn: usize,
    mut request: Request<RequestBody>,
    exceeded: Option<&AtomicBool>,
) -> Result<(Response<Incoming>, Lease), ExchangeError> {
    let endpoints = &backend.endpoints;
    let count = endpoints.len().max(1);
    let mut last = None;
    for endpoint in (0..endpoints.len()).map(|step| endpoints[(turn + step) % count]) {
        let lease = |sender| Lease {
            pool: pool.clone(),
            endpoint,
            sender,
        };
        match over_idle(pool, endpoint, request).await? {
            Reused::Answered(response, sender) => return Ok((response, lease(sender))),
            Reused::Again(again) => request = *again,
            Reused::Lost(error) => return Err(lost(error, exceeded)),
        }
        let sender = match Pool::connect(endpoint).await {
            Ok(sender) => sender,
            Err(error) => {
                tracing::debug!(%endpoint, service = backend.service, %error, "endpoint passed over");
                last = Some(error);
                continue;
            }
        };
        match send(sender, request).await {
            Sent::Answered(response, sender) => return Ok((response, lease(sender))),
            Sent::Unsent(unsent) => request = *unsent,
            Sent::Lost(error) => return Err(lost(error, exceeded)),
            Sent::Timeout => return Err(ExchangeError::Timeout),
        }
    }
    match last {
        Some(ConnectError::Timeout) => Err(ExchangeError::Timeout),
        last => Err(ExchangeError::Unreachable(last)),
    }
}

enum Reused {
    Answered(Response<Incoming>, Sender),
    Again(Box<Request<RequestBody>>),
    Lost(hyper::Error),
}

/// Tries kept-alive connections; the request comes back when none was good.
async fn over_idle(
    pool: &Pool,
    endpoint: SocketAddr,
    mut request: Request<RequestBody>,
) -> Result<Reused, ExchangeError> {
    if request.headers().contains_key(http::header::UPGRADE) {
        // The connection will not come back, and must not be one that is about to close.
        return Ok(Reused::Again(Box::new(request)));
    }
    let may_be_resent = may_be_resent(&request);
    while let Some(sender) = pool.take(endpoint, may_be_resent) {
        let spare = may_be_resent.then(|| copy(&request));
        match (send(sender, request).await, spare) {
            (Sent::Answered(response, sender), _) => return Ok(Reused::Answered(response, sender)),
            (Sent::Unsent(unsent), _) => request = *unsent,
            // The endpoint closed the connection while the request was on its way. A second one may be as old.
            (Sent::Lost(_), Some(spare)) => return Ok(Reused::Again(Box::new(spare))),
            (Sent::Lost(error), None) => return Ok(Reused::Lost(error)),
            (Sent::Timeout, _) => return Err(ExchangeError::Timeout),
        }
    }
    Ok(Reused::Again(Box::new(request)))
}

async fn send(mut sender: Sender, request: Request<RequestBody>) -> Sent {
    match timeout(READ_TIMEOUT, sender.try_send_request(request)).await {
        Err(_) => Sent::Timeout,
        Ok(Ok(response)) => Sent::Answered(response, sender),
        Ok(Err(mut error)) => match error.take_message() {
            Some(unsent) => Sent::Unsent(Box::new(unsent)),
            None => Sent::Lost(error.into_error()),
        },
    }
}

fn lost(error: hyper::Error, exceeded: Option<&AtomicBool>) -> ExchangeError {
    if exceeded.is_some_and(|exceeded| exceeded.load(Ordering::Relaxed)) {
        ExchangeError::TooLarge
    } else {
        ExchangeError::Broken(error)
    }
}

fn may_be_resent(request: &Request<RequestBody>) -> bool {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    is_safe && request.body().is_empty()
}

fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::default());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}
