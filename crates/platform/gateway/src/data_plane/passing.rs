//! A request on its way to a tool, and the tool's answer on its way back. Which tool it is was decided before.

use std::net::IpAddr;

use http::{
    HeaderValue, Response, StatusCode,
    header::{RETRY_AFTER, UPGRADE},
};
use toolforge_annotations::Timeouts;
use toolforge_routing::Backend;

use super::{DataPlane, annotated::Sending};
use crate::{
    body::ResponseBody,
    compression::answers::{Reader, compress, may_be_worth_it},
    exchange::{ExchangeError, exchange},
    headers::forward,
    http1::tool::Asked,
    page::{default_file, own_page},
    request_body::{RequestBody, Visited},
    rooms::{Full, RoomSize, Staying},
    seen::{record::Record, tally::Event},
    visit::Visit,
};

/// What visitors are told of a tool at its limit.
const FULL: &str = "This tool is answering as many requests as it may at once. Please try again in a moment.";

impl DataPlane {
    /// Has a request take its place among those of its tool, for which it may have to wait; or what is answered to one that
    /// finds none.
    pub(super) async fn take_place(
        &self,
        visit: &Visit,
        backend: &Backend,
        record: &mut Record,
    ) -> Result<(), Box<Response<ResponseBody>>> {
        let room = self.shared.rules.load().rooms.size(&backend.namespace);
        let place = match self.rooms.enter(&backend.namespace, room) {
            Ok(place) => place,
            // Few have to, and what they need is no part of every request.
            Err(Full) => Box::pin(self.rooms.wait(&backend.namespace, room))
                .await
                .map_err(|Full| Box::new(self.full(visit, backend, room)))?,
        };
        record.takes(place);
        Ok(())
    }

    /// What is answered where the tool has all that it may have.
    fn full(&self, visit: &Visit, backend: &Backend, room: RoomSize) -> Response<ResponseBody> {
        tracing::debug!(
            service = backend.service.as_str(),
            namespace = backend.namespace.as_str(),
            "the tool is at its limit"
        );
        self.tally.happened(Event::Full);
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut response = own_page(status, visit.accept.as_ref(), Some(FULL));
        let seconds = HeaderValue::from(room.patience.as_secs().max(1));
        response.headers_mut().insert(RETRY_AFTER, seconds);
        self.finished(visit, response)
    }

    /// What the tool answers, or what is answered in its place. `sending` is what annotations change of it.
    pub(super) async fn proxy(
        &self,
        visit: &Visit,
        visitor: IpAddr,
        backend: &Backend,
        request: Box<Visited>,
        sending: Option<&Sending<'_>>,
    ) -> Response<ResponseBody> {
        let limit = self.shared.rules.load().body_limit_bytes;
        let limit = limit.unwrap_or(self.settings.request_body_limit_bytes);
        let limit = sending.map_or(limit, |sending| sending.body_limit_bytes(limit));
        if request.body().left_bytes().is_some_and(|length| length > limit) {
            return Box::pin(self.fault(visit, StatusCode::PAYLOAD_TOO_LARGE, backend)).await;
        }
        let (mut head, body) = (*request).into_parts();
        let body = RequestBody::new(body, limit);
        forward(&mut head.headers, visit, &self.https_port);
        let announces = {
            let rules = self.shared.rules.load();
            rules.tell(&backend.namespace, visitor, visit.scheme, &mut head.headers);
            rules.announcement(&backend.namespace, Some(visitor))
        };
        if let Some(sending) = sending {
            sending.tell(&mut head.headers);
        }
        let asked = Asked {
            method: &visit.method,
            target: sending.map_or_else(|| visit.path_and_query(), |sending| &sending.target),
            headers: &head.headers,
            timeouts: sending.map_or_else(Timeouts::default, |sending| sending.extras.timeouts),
            announces,
        };
        let turn = sending.map_or_else(|| self.next_turn(), |sending| sending.turn);
        match exchange(self.means(), backend, turn, &asked, body).await {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                // What few answers need is on the heap, here and below, so that all others stay small.
                Box::pin(self.switch(visit, backend, response)).await
            }
            Ok(mut response) => {
                if response.status() == StatusCode::NOT_FOUND
                    && let Some(default) = default_file(visit)
                {
                    return self.finished(visit, default);
                }
                let rules = self.shared.rules.load();
                self.brought_back(response.headers_mut(), visit, &rules);
                if !may_be_worth_it(&response, &visit.method) {
                    return response;
                }
                let reader = Reader {
                    method: &visit.method,
                    version: head.version,
                    headers: &head.headers,
                };
                compress(response, reader, &rules.compression, &self.compressions)
            }
            Err(error) => {
                tracing::debug!(service = backend.service.as_str(), namespace = backend.namespace.as_str(), %error, "no answer");
                if let Some(event) = event_of(&error) {
                    self.tally.happened(event);
                }
                Box::pin(self.fault(visit, status_of(&error), backend)).await
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
        let rules = self.shared.rules.load();
        let room = rules.rooms.size(&backend.namespace);
        let Ok(place) = self.rooms.stay(&backend.namespace, room) else {
            return self.full(visit, backend, room);
        };
        response.extensions_mut().insert(Staying::with(place));
        let headers = response.headers_mut();
        self.brought_back(headers, visit, &rules);
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
        ExchangeError::TooLarge | ExchangeError::Silent | ExchangeError::Body(_) => None,
    }
}

fn status_of(error: &ExchangeError) -> StatusCode {
    match error {
        ExchangeError::Unreachable(_) | ExchangeError::Broken(_) => StatusCode::BAD_GATEWAY,
        ExchangeError::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ExchangeError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ExchangeError::Silent => StatusCode::REQUEST_TIMEOUT,
        ExchangeError::Body(_) => StatusCode::BAD_REQUEST,
    }
}
