//! One exchange with a backend: the request goes to one of its endpoints, and the answer comes back.
//!
//! When a request may be sent a second time is decided here and nowhere else: when nothing of it was sent; or when it has
//! no body, its method is idempotent (RFC 9110 9.2.2), the connection died before anything of the answer came, and not too
//! many of its tool's requests were sent again lately. Over HTTP/2 ([`shared`]) the endpoint may also say that it did nothing with
//! it.

mod shared;

use std::{mem, net::SocketAddr, sync::Arc};

use http::{Method, Response, header::UPGRADE};
use toolforge_routing::{AppProtocol, Backend};

use crate::{
    body::{BodyError, ResponseBody, ToolBody},
    http1::tool::{Answer, AnswerError, Asked, ConnectError, Connection},
    pool::Pool,
    request_body::RequestBody,
    retries::RetryRule,
    seen::tally::{Event, Tally},
    standing::{Fault, PassRule},
};

/// What is done about what fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailingRule {
    /// How often requests are sent again.
    pub(crate) retries: RetryRule,
    /// When endpoints are passed over.
    pub(crate) passing: PassRule,
}

/// What of a data plane an exchange needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means<'a> {
    pub(crate) pool: &'a Arc<Pool>,
    pub(crate) tally: &'a Tally,
    pub(crate) failing: FailingRule,
}

impl Means<'_> {
    /// Notes what an endpoint did wrong, if it did.
    fn failed(&self, endpoint: SocketAddr, fault: Option<Fault>) {
        if let Some(fault) = fault
            && self.pool.standings.failed(endpoint, fault, &self.failing.passing)
        {
            tracing::debug!(%endpoint, ?fault, "endpoint is passed over for a while");
            self.tally.happened(Event::PassedOver);
        }
    }
}

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
    /// The visitor stopped in the middle of the request's body.
    #[error("the visitor sent nothing of the request's body for too long")]
    Silent,
    /// The request's body broke off, or is malformed.
    #[error("the request's body is malformed, or broke off")]
    Body(#[source] BodyError),
}

impl From<AnswerError> for ExchangeError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Timeout => Self::Timeout,
            AnswerError::Body(BodyError::TooLarge) => Self::TooLarge,
            AnswerError::Body(BodyError::Silent) => Self::Silent,
            AnswerError::Body(error) => Self::Body(error),
            error @ (AnswerError::Broken(_) | AnswerError::Head(_)) => Self::Broken(error),
        }
    }
}

impl From<ConnectError> for ExchangeError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Timeout => Self::Timeout,
            refused @ ConnectError::Refused(_) => Self::Unreachable(Some(refused)),
        }
    }
}

/// Sends the request to an endpoint of the backend, beginning with the `turn`th that is not passed over, and going on to
/// the next where an endpoint takes no connection, or breaks off and the request may be sent again.
pub(crate) async fn exchange(
    means: Means<'_>,
    backend: &Backend,
    turn: usize,
    asked: &Asked<'_>,
    mut body: RequestBody,
) -> Result<Response<ResponseBody>, ExchangeError> {
    if backend.protocol == AppProtocol::H2c {
        // On the heap, so that requests to all other tools stay small.
        return Box::pin(shared::exchange(means, backend, turn, asked, body)).await;
    }
    let (endpoints, count, pool) = (&backend.endpoints, backend.endpoints.len(), means.pool);
    let order = pool.standings.order(endpoints, turn, &means.failing.passing);
    let mut again = Again::new(means, &backend.namespace, asked.method, &body);
    // An upgraded connection will not come back, and must not be one that is about to close; and one that begins with its
    // visitor is that one's alone.
    let may_be_kept = !asked.headers.contains_key(UPGRADE) && asked.announces.is_none();
    let mut last = ExchangeError::Unreachable(None);
    for step in 0..count {
        let endpoint = endpoints[order.place(step, count)];
        let answered = |response: Response<Answer>| {
            pool.standings.answered(endpoint);
            response.map(|answer| ResponseBody::tool(ToolBody::new(answer, pool.clone(), endpoint)))
        };
        if may_be_kept && let Some(connection) = pool.take(endpoint, again.may_be) {
            match connection.ask(asked, mem::take(&mut body)).await {
                Ok(response) => return Ok(answered(response)),
                // The endpoint closed the connection while the request was on its way. Another one may be as old.
                Err(AnswerError::Broken(_)) if again.may() => {}
                Err(error) => return Err(error.into()),
            }
        }
        // On the heap, for most connections are kept ones.
        last = match Box::pin(Connection::open(endpoint, asked)).await {
            Ok(connection) => match connection.ask(asked, mem::take(&mut body)).await {
                Ok(response) => return Ok(answered(response)),
                Err(error) => {
                    means.failed(endpoint, fault_of(&error));
                    let is_broken = matches!(error, AnswerError::Broken(_));
                    if !is_broken || step + 1 == count || !again.may() {
                        return Err(error.into());
                    }
                    error.into()
                }
            },
            Err(error) => {
                tracing::debug!(%endpoint, service = backend.service.as_str(), %error, "endpoint passed over");
                means.failed(endpoint, Some(Fault::Unreachable));
                error.into()
            }
        };
    }
    Err(last)
}

/// Whether a request may be sent again.
struct Again<'a> {
    means: Means<'a>,
    namespace: &'a str,
    /// Whether it may be at all.
    may_be: bool,
    left: u32,
}

impl<'a> Again<'a> {
    fn new(means: Means<'a>, namespace: &'a str, method: &Method, body: &RequestBody) -> Self {
        Self {
            means,
            namespace,
            may_be: method.is_idempotent() && body.is_empty(),
            left: means.failing.retries.per_request,
        }
    }

    /// Whether it is sent again now, which is counted.
    fn may(&mut self) -> bool {
        self.may_be && self.may_harmlessly()
    }

    /// The same for one that cannot have had any effect.
    fn may_harmlessly(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let Means { pool, tally, failing } = self.means;
        let may = pool.retries.take(self.namespace, &failing.retries);
        tally.happened(if may { Event::Resent } else { Event::RetriesSpent });
        may
    }
}

/// What it says of an endpoint that it gave no answer; nothing where the visitor is to blame.
fn fault_of(error: &AnswerError) -> Option<Fault> {
    match error {
        AnswerError::Broken(_) | AnswerError::Head(_) | AnswerError::Timeout => Some(Fault::Failing),
        AnswerError::Body(_) => None,
    }
}
