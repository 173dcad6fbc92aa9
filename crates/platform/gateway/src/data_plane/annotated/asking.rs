//! `auth-url`: another of the tool's servers is asked whether a visitor may come in. Whatever goes wrong, nobody does.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
        IF_UNMODIFIED_SINCE, LOCATION, RANGE, SET_COOKIE, TE, UPGRADE, WWW_AUTHENTICATE,
    },
};
use toolforge_annotations::{Auth, AuthServer, Timeouts};
use toolforge_routing::{Backend, Decision, RouteExtras};

use super::{DataPlane, words};
use crate::{
    body::ResponseBody,
    exchange::exchange,
    headers::forward,
    http1::tool::Asked,
    names::{X_AUTH_REQUEST_REDIRECT, X_ORIGINAL_METHOD, X_ORIGINAL_URL},
    page::own_page,
    request_body::RequestBody,
    visit::Visit,
};

/// What belongs to the visitor's request and not to the question.
const NOT_ASKED: [HeaderName; 11] = [
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
    TE,
    UPGRADE,
];

/// What comes of a visitor who may come in.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    /// What the tool is told, by header: nothing where the server said nothing, so that no visitor says it.
    headers: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// What the visitor is told.
    pub(super) cookies: Vec<HeaderValue>,
}

impl Admitted {
    /// Adds what the tool is told, in place of what the visitor said.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        for (name, values) in &self.headers {
            headers.remove(name);
            for value in values {
                headers.append(name, value.clone());
            }
        }
    }
}

impl DataPlane {
    /// Whether a visitor may come in; or the answer to one who may not.
    pub(super) async fn ask_whether(
        &self,
        auth: &Auth,
        visit: &Visit,
        visitor: IpAddr,
        backend: &Backend,
        extras: &RouteExtras,
        headers: &HeaderMap,
    ) -> Result<Admitted, Box<Response<ResponseBody>>> {
        let page = |status| Box::new(own_page(status, visit.accept.as_ref(), None));
        let failed = || {
            let reason = "The server that decides who may come in does not answer as it should.";
            let accept = visit.accept.as_ref();
            Box::new(own_page(StatusCode::INTERNAL_SERVER_ERROR, accept, Some(reason)))
        };
        let (server, target) = self.server(auth, visit, backend, extras).ok_or_else(failed)?;
        let headers_of_question = self.question(auth, visit, visitor, backend, headers);
        let asked = Asked {
            method: &auth.method,
            target: &target,
            headers: &headers_of_question,
            timeouts: Timeouts::default(),
            announces: self
                .shared
                .rules
                .load()
                .announcement(&backend.namespace, Some(visitor)),
        };
        let body = RequestBody::default();
        let answer = exchange(self.means(), &server, self.next_turn(), &asked, body).await;
        let answer = answer.map_err(|error| {
            tracing::debug!(namespace = backend.namespace.as_str(), %error, "auth-url does not answer");
            failed()
        })?;
        let cookies: Vec<_> = answer.headers().get_all(SET_COOKIE).iter().cloned().collect();
        match answer.status() {
            status if status.is_success() => Ok(Admitted {
                headers: said(auth, answer.headers()),
                cookies,
            }),
            StatusCode::UNAUTHORIZED => {
                if let Some(location) = signin(auth, visit, visitor, headers) {
                    return Err(led(location, cookies));
                }
                let mut page = page(StatusCode::UNAUTHORIZED);
                for challenge in answer.headers().get_all(WWW_AUTHENTICATE) {
                    page.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
                }
                Err(page)
            }
            StatusCode::FORBIDDEN => Err(page(StatusCode::FORBIDDEN)),
            status => {
                tracing::debug!(namespace = backend.namespace.as_str(), %status, "auth-url answers strangely");
                Err(failed())
            }
        }
    }

    /// Who is asked, and for what. A host is looked up in the table, and is asked only where the same namespace serves it.
    fn server(
        &self,
        auth: &Auth,
        visit: &Visit,
        backend: &Backend,
        extras: &RouteExtras,
    ) -> Option<(Backend, String)> {
        let host = match &auth.server {
            AuthServer::Service { .. } => return Some((extras.auth.clone()?, auth.target.clone())),
            AuthServer::Host(host) => host.as_deref().unwrap_or_else(|| visit.authority()),
        };
        let path = auth.target.split('?').next().unwrap_or_default();
        let table = self.shared.table.load();
        let Decision::Backend(server) = table.decide(host, path) else {
            return None;
        };
        if server.namespace != backend.namespace {
            return None;
        }
        let asked = Visit {
            target: auth.target.parse().ok()?,
            ..visit.clone()
        };
        let target = match &server.extras {
            Some(extras) => super::target(extras, &asked).into_owned(),
            None => auth.target.clone(),
        };
        Some(((**server).clone(), target))
    }

    /// The headers of the question: those of the request, and what it was.
    fn question(
        &self,
        auth: &Auth,
        visit: &Visit,
        visitor: IpAddr,
        backend: &Backend,
        headers: &HeaderMap,
    ) -> HeaderMap {
        let mut headers = headers.clone();
        forward(&mut headers, visit, &self.https_port);
        for name in NOT_ASKED {
            headers.remove(name);
        }
        let rules = self.shared.rules.load();
        rules.tell(&backend.namespace, visitor, visit.scheme, &mut headers);
        let scheme = visit.scheme.name();
        let url = format!("{scheme}://{}{}", visit.authority(), visit.path_and_query());
        let host = match &auth.server {
            AuthServer::Host(None) => visit.authority().to_owned(),
            AuthServer::Host(Some(host)) => host.clone(),
            AuthServer::Service { name, port } => format!("{name}.{}.svc:{port}", backend.namespace),
        };
        for (name, text) in [
            (HOST, host.as_str()),
            (X_ORIGINAL_URL, url.as_str()),
            (X_ORIGINAL_METHOD, visit.method.as_str()),
            (X_AUTH_REQUEST_REDIRECT, visit.path_and_query()),
        ] {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        }
        headers
    }
}

/// The way to the page at which a visitor signs in, with what the server wants it to come back with.
fn led(location: HeaderValue, cookies: Vec<HeaderValue>) -> Box<Response<ResponseBody>> {
    let mut led = Response::new(ResponseBody::own(""));
    *led.status_mut() = StatusCode::FOUND;
    led.headers_mut().insert(LOCATION, location);
    for cookie in cookies {
        led.headers_mut().append(SET_COOKIE, cookie);
    }
    Box::new(led)
}

/// What the server says that the tool is to be told.
fn said(auth: &Auth, answer: &HeaderMap) -> Vec<(HeaderName, Vec<HeaderValue>)> {
    let names = auth.response_headers.iter();
    let told = names.map(|name| (name.clone(), answer.get_all(name).iter().cloned().collect()));
    told.collect()
}

/// Where a visitor signs in.
fn signin(auth: &Auth, visit: &Visit, visitor: IpAddr, headers: &HeaderMap) -> Option<HeaderValue> {
    let template = &auth.signin.as_ref()?.to;
    let url = template.with(|variable| words::word(variable, visit, visitor, headers, &[]));
    HeaderValue::from_str(&url).ok()
}
