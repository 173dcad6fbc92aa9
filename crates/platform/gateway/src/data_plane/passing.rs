//! A request on its way to a tool, and the tool's answer on its way back. Which tool it is was decided before.

use std::net::IpAddr;

use http::{Request, Response, StatusCode, header::UPGRADE};
use toolforge_routing::Backend;

use super::DataPlane;
use crate::{
    body::ResponseBody,
    compression::answers::{Reader, compress, may_be_worth_it},
    exchange::{ExchangeError, exchange},
    headers::{backward, forward},
    http1::tool::Asked,
    page::default_file,
    request_body::{RequestBody, VisitorBody},
    seen::tally::Event,
    visit::Visit,
};

impl DataPlane {
    /// What the tool answers, or what is answered in its place.
    pub(super) async fn proxy(
        &self,
        visit: &Visit,
        visitor: IpAddr,
        backend: &Backend,
        request: Request<VisitorBody>,
    ) -> Response<ResponseBody> {
        let limit = self.shared.rules.load().body_limit_bytes;
        let limit = limit.unwrap_or(self.settings.request_body_limit_bytes);
        if request.body().left_bytes().is_some_and(|length| length > limit) {
            return self.fault(visit, StatusCode::PAYLOAD_TOO_LARGE, backend).await;
        }
        let (mut head, body) = request.into_parts();
        let body = RequestBody::new(body, limit);
        forward(&mut head.headers, visit, &self.fixed);
        self.shared
            .rules
            .load()
            .tell(&backend.namespace, visitor, &mut head.headers);
        let asked = Asked {
            method: &visit.method,
            target: visit.path_and_query(),
            headers: &head.headers,
        };
        match exchange(&self.pool, backend, self.next_turn(), &asked, body, &self.tally).await {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.switch(visit, backend, response).await
            }
            Ok(mut response) => {
                if response.status() == StatusCode::NOT_FOUND
                    && let Some(default) = default_file(visit)
                {
                    return self.finished(visit, default);
                }
                backward(
                    response.headers_mut(),
                    visit,
                    self.settings.public_https_port,
                    &self.fixed,
                );
                if !may_be_worth_it(&response, &visit.method) {
                    return response;
                }
                let reader = Reader {
                    method: &visit.method,
                    version: head.version,
                    headers: &head.headers,
                };
                let rules = self.shared.rules.load();
                compress(response, reader, &rules.compression, &self.compressions)
            }
            Err(error) => {
                tracing::debug!(service = backend.service, namespace = backend.namespace, %error, "no answer");
                if let Some(event) = event_of(&error) {
                    self.tally.happened(event);
                }
                self.fault(visit, status_of(&error), backend).await
            }
        }
    }

    /// Lets the connection become what both sides agreed on. A tool that switches without having been asked would
    /// have the visitor take its bytes for answers of ours.
    async fn switch(
        &self,
        visit: &Visit,
        backend: &Backend,
        mut response: Response<ResponseBody>,
    ) -> Response<ResponseBody> {
        let protocol = response.headers().get(UPGRADE).cloned();
        let Some(protocol) = protocol.filter(|_| visit.is_upgrade) else {
            return self.fault(visit, StatusCode::BAD_GATEWAY, backend).await;
        };
        let headers = response.headers_mut();
        backward(headers, visit, self.settings.public_https_port, &self.fixed);
        headers.insert(UPGRADE, protocol);
        response
    }
}

/// What there is to count; a visitor's mistakes are in the statuses.
fn event_of(error: &ExchangeError) -> Option<Event> {
    match error {
        ExchangeError::Unreachable(_) => Some(Event::Unreachable),
        ExchangeError::Broken(_) => Some(Event::Broken),
        ExchangeError::Timeout => Some(Event::Timeout),
        ExchangeError::TooLarge | ExchangeError::Body(_) => None,
    }
}

fn status_of(error: &ExchangeError) -> StatusCode {
    match error {
        ExchangeError::Unreachable(_) | ExchangeError::Broken(_) => StatusCode::BAD_GATEWAY,
        ExchangeError::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ExchangeError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ExchangeError::Body(_) => StatusCode::BAD_REQUEST,
    }
}
