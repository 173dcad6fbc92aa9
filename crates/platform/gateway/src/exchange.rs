//! One exchange with a backend: the request goes to one of its endpoints, and the answer comes back.
//!
//! When a request may be sent a second time is decided here and nowhere else: when nothing of it was sent, or when
//! it has no body, its method is safe, and a kept-alive connection died under it. Over HTTP/2 ([`shared`]) the endpoint may
//! also say that it did nothing with it.

mod shared;

use std::{mem, sync::Arc};

use http::{Method, Response, header::UPGRADE};
use toolforge_routing::{AppProtocol, Backend};

use crate::{
    body::{BodyError, ResponseBody, ToolBody},
    http1::tool::{Answer, AnswerError, Asked, ConnectError, Connection},
    pool::Pool,
    request_body::RequestBody,
    seen::tally::{Event, Tally},
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// No endpoint took the connection.
    #[error("no endpoint takes the connection")]
    Unreachable(#[source] Option<ConnectError>),
    /// The connection broke before the answer came, or what came is no answer.
    #[error("the endpoint gave no answer")]
    Broken(#[source] AnswerError),
    /// No answer in time.
    #[error("the endpoint did not answer in time")]
    Timeout,
    /// The request turned out larger than it may be.
    #[error("the request is larger than the limit")]
    TooLarge,
    /// The request's body broke off, or is malformed.
    #[error("the request's body is malformed, or broke off")]
    Body(#[source] BodyError),
}

impl From<AnswerError> for ExchangeError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Timeout => Self::Timeout,
            AnswerError::Body(BodyError::TooLarge) => Self::TooLarge,
            AnswerError::Body(error) => Self::Body(error),
            error @ (AnswerError::Broken(_) | AnswerError::Head(_)) => Self::Broken(error),
        }
    }
}

/// Sends the request to an endpoint of the backend, beginning with the `turn`th, and going on to the next where an
/// endpoint takes no connection.
pub(crate) async fn exchange(
    pool: &Arc<Pool>,
    backend: &Backend,
    turn: usize,
    asked: &Asked<'_>,
    mut body: RequestBody,
    tally: &Tally,
) -> Result<Response<ResponseBody>, ExchangeError> {
    if backend.protocol == AppProtocol::H2c {
        // On the heap, so that requests to all other tools stay small.
        return Box::pin(shared::exchange(pool, backend, turn, asked, body, tally)).await;
    }
    let endpoints = &backend.endpoints;
    let count = endpoints.len().max(1);
    let may_be_resent = may_be_resent(asked.method, &body);
    // An upgraded connection will not come back, and must not be one that is about to close.
    let may_be_kept = !asked.headers.contains_key(UPGRADE);
    let mut last = None;
    for endpoint in (0..endpoints.len()).map(|step| endpoints[(turn + step) % count]) {
        let answered = |response: Response<Answer>| {
            response.map(|answer| ResponseBody::tool(ToolBody::new(answer, pool.clone(), endpoint)))
        };
        if may_be_kept && let Some(connection) = pool.take(endpoint, may_be_resent) {
            match connection.ask(asked, mem::take(&mut body)).await {
                Ok(response) => return Ok(answered(response)),
                // The endpoint closed the connection while the request was on its way. Another one may be as old.
                Err(AnswerError::Broken(_)) if may_be_resent => tally.happened(Event::Resent),
                Err(error) => return Err(error.into()),
            }
        }
        match Connection::open(endpoint).await {
            Ok(connection) => {
                return Ok(answered(connection.ask(asked, body).await?));
            }
            Err(error) => {
                tracing::debug!(%endpoint, service = backend.service, %error, "endpoint passed over");
                last = Some(error);
            }
        }
    }
    Err(unreachable(last))
}

/// What it means that no endpoint took the connection, the last one for this reason.
fn unreachable(last: Option<ConnectError>) -> ExchangeError {
    match last {
        Some(ConnectError::Timeout) => ExchangeError::Timeout,
        last => ExchangeError::Unreachable(last),
    }
}

fn may_be_resent(method: &Method, body: &RequestBody) -> bool {
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    is_safe && body.is_empty()
}
