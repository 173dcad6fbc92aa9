//! An exchange with a backend that speaks HTTP/2, over connections that requests share.

use http::Response;
use toolforge_routing::Backend;

use super::{ExchangeError, may_be_resent, unreachable};
use crate::{
    body::ResponseBody,
    http1::tool::{AnswerError, Asked},
    http2::tool::{Unanswered, ask},
    pool::Pool,
    request_body::RequestBody,
    seen::tally::{Event, Tally},
};

/// How often a request is sent to one endpoint: a connection may end just when it is taken, and the next one too.
const ATTEMPTS: usize = 3;

/// Sends the request to an endpoint of the backend, beginning with the `turn`th. It is sent again where nothing of it was
/// sent; where it has no body and the endpoint says that it did nothing with it; and where it may be sent twice and a
/// connection that was open before died under it.
pub(super) async fn exchange(
    pool: &Pool,
    backend: &Backend,
    turn: usize,
    asked: &Asked<'_>,
    mut body: RequestBody,
    tally: &Tally,
) -> Result<Response<ResponseBody>, ExchangeError> {
    let endpoints = &backend.endpoints;
    let may_be_resent = may_be_resent(asked.method, &body);
    let has_body = !body.is_empty();
    let mut last = None;
    for endpoint in (0..endpoints.len()).map(|step| endpoints[(turn + step) % endpoints.len()]) {
        for attempt in 1..=ATTEMPTS {
            let place = match pool.lanes.place(endpoint).await {
                Ok(place) => place,
                Err(error) => {
                    tracing::debug!(%endpoint, service = backend.service, %error, "endpoint passed over");
                    last = Some(error);
                    break;
                }
            };
            let (is_last, is_fresh) = (attempt == ATTEMPTS, place.is_fresh);
            match ask(place, endpoint, asked, std::mem::take(&mut body)).await {
                Ok(response) => return Ok(response.map(ResponseBody::stream)),
                Err(Unanswered::Unsent(unsent)) => body = unsent,
                Err(Unanswered::Refused(_)) if !has_body && !is_last => tally.happened(Event::Resent),
                Err(Unanswered::Failed(AnswerError::Broken(_))) if may_be_resent && !is_fresh => {
                    tally.happened(Event::Resent);
                }
                Err(Unanswered::Refused(error) | Unanswered::Failed(error)) => return Err(error.into()),
            }
        }
    }
    Err(unreachable(last))
}
