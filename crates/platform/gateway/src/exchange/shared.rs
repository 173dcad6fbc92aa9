//! An exchange with a backend that speaks HTTP/2, over connections that requests share.

use http::Response;
use toolforge_routing::Backend;

use super::{Again, ExchangeError, Means, fault_of};
use crate::{
    body::ResponseBody,
    http1::tool::{AnswerError, Asked},
    http2::{
        lanes::own_place,
        tool::{Unanswered, ask},
    },
    request_body::RequestBody,
    standing::Fault,
};

/// How often a request is sent to one endpoint: a connection may end just when it is taken, and the next one too.
const ATTEMPTS: usize = 3;

/// Sends the request to an endpoint of the backend, as for HTTP/1.1. It is sent again also where nothing of it was sent, and
/// where it has no body and the endpoint says that it did nothing with it.
pub(super) async fn exchange(
    means: Means<'_>,
    backend: &Backend,
    turn: usize,
    asked: &Asked<'_>,
    mut body: RequestBody,
) -> Result<Response<ResponseBody>, ExchangeError> {
    let (endpoints, count, pool) = (&backend.endpoints, backend.endpoints.len(), means.pool);
    let order = pool.standings.order(endpoints, turn, &means.failing.passing);
    let mut again = Again::new(means, &backend.namespace, asked.method, &body);
    let has_body = !body.is_empty();
    let mut last = ExchangeError::Unreachable(None);
    for step in 0..count {
        let endpoint = endpoints[order.place(step, count)];
        for attempt in 1..=ATTEMPTS {
            let placed = match asked.announces {
                None => pool.lanes.place(endpoint).await,
                Some(announcement) => own_place(endpoint, announcement).await,
            };
            let place = match placed {
                Ok(place) => place,
                Err(error) => {
                    tracing::debug!(%endpoint, service = backend.service.as_str(), %error, "endpoint passed over");
                    means.failed(endpoint, Some(Fault::Unreachable));
                    last = error.into();
                    break;
                }
            };
            let (is_last, is_fresh) = (attempt == ATTEMPTS, place.is_fresh);
            match ask(place, endpoint, asked, std::mem::take(&mut body)).await {
                Ok(response) => {
                    pool.standings.answered(endpoint);
                    return Ok(response.map(ResponseBody::stream));
                }
                Err(Unanswered::Unsent(unsent)) => body = unsent,
                Err(Unanswered::Refused(_)) if !has_body && !is_last && again.may_harmlessly() => {}
                Err(Unanswered::Failed(AnswerError::Broken(_))) if !is_fresh && again.may() => {}
                Err(Unanswered::Refused(error)) => return Err(error.into()),
                Err(Unanswered::Failed(error)) => {
                    means.failed(endpoint, fault_of(&error));
                    let is_broken = matches!(error, AnswerError::Broken(_));
                    if !is_broken || step + 1 == count || !again.may() {
                        return Err(error.into());
                    }
                    last = error.into();
                    break;
                }
            }
        }
    }
    Err(last)
}
