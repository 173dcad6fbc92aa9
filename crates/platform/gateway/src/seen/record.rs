//! One request, from its arrival until the last byte of its answer: then it is counted, and written down where somebody
//! wants that.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use http::{
    HeaderMap, HeaderValue, Response, Version,
    header::{REFERER, USER_AGENT},
};
use toolforge_routing::Backend;

use super::{
    access_log::{AccessLog, Entry},
    tally::{Event, Tally},
};
use crate::{rooms::Place, visit::Visit};

/// A request under way. It counts when it is dropped.
#[derive(Debug)]
pub(crate) struct Record {
    tally: Arc<Tally>,
    began: Instant,
    /// When the head of the answer was there, and its status.
    answered: Option<(Instant, u16)>,
    backend: Option<Arc<Backend>>,
    endpoint: Option<SocketAddr>,
    sent_bytes: u64,
    /// Its place among the requests of its tool.
    place: Option<Place>,
    wanted: Option<(Arc<AccessLog>, Box<Asked>)>,
}

/// What the access log says of a request.
#[derive(Debug)]
struct Asked {
    visitor: IpAddr,
    method: http::Method,
    authority: HeaderValue,
    target: http::Uri,
    version: Version,
    referer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    request_id: HeaderValue,
}

impl Record {
    pub(crate) fn new(tally: Arc<Tally>) -> Self {
        Self {
            tally,
            began: Instant::now(),
            answered: None,
            backend: None,
            endpoint: None,
            sent_bytes: 0,
            place: None,
            wanted: None,
        }
    }

    /// Has the request written down, if the log wants this one.
    pub(crate) fn write_down(
        &mut self,
        log: Option<&Arc<AccessLog>>,
        visitor: IpAddr,
        visit: &Visit,
        version: Version,
        headers: &HeaderMap,
    ) {
        let Some(log) = log.filter(|log| log.wants_this()) else {
            return;
        };
        let asked = Asked {
            visitor,
            method: visit.method.clone(),
            authority: visit.authority.clone(),
            target: visit.target.clone(),
            version,
            referer: headers.get(REFERER).cloned(),
            user_agent: headers.get(USER_AGENT).cloned(),
            request_id: visit.request_id.clone(),
        };
        self.wanted = Some((log.clone(), Box::new(asked)));
    }

    /// Whose the request is.
    pub(crate) fn belongs_to(&mut self, backend: &Arc<Backend>) {
        self.backend = Some(backend.clone());
    }

    /// The request has this place until its end.
    pub(crate) fn takes(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// The head of the answer is there, and came from this endpoint if it is a tool's.
    pub(crate) fn answered<B>(&mut self, response: &Response<B>, endpoint: Option<SocketAddr>) {
        self.answered = Some((Instant::now(), response.status().as_u16()));
        self.endpoint = endpoint;
    }

    /// Some of the body went to the visitor.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    /// Something went wrong on the way.
    pub(crate) fn happened(&self, event: Event) {
        self.tally.happened(event);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let namespace = self.backend.as_ref().map_or("", |backend| &backend.namespace);
        // Who leaves before there is an answer is counted as nginx counts it.
        let (at, status) = self.answered.unwrap_or_else(|| (Instant::now(), 499));
        self.tally
            .answered(namespace, status, at - self.began, self.sent_bytes);
        let Some((log, asked)) = self.wanted.take() else {
            return;
        };
        log.write(&Entry {
            host: text(&asked.authority),
            visitor: asked.visitor,
            method: asked.method.as_str(),
            target: asked
                .target
                .path_and_query()
                .map_or("/", |target| target.as_str()),
            version: asked.version,
            status,
            sent_bytes: self.sent_bytes,
            referer: asked.referer.as_ref().map_or("", text),
            user_agent: asked.user_agent.as_ref().map_or("", text),
            request_id: text(&asked.request_id),
            namespace,
            endpoint: self.endpoint,
            time_to_head: at - self.began,
            time: self.began.elapsed(),
        });
    }
}

/// A value as text; what is not ASCII is left out.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}
