//! Requests to routes with annotations: what is answered at once, what is asked before, and what is changed on the way
//! there and back. What the annotations mean is said in `core/annotations`; nothing is parsed here.
//!
//! The order is that of nginx: HTTPS, addresses, CORS, redirects, rates, who may come in, and then the tool.

mod asking;
mod endpoint;
mod origins;
mod words;

use std::{borrow::Cow, net::IpAddr};

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{HOST, LOCATION, SET_COOKIE},
};
use toolforge_annotations::{Extras, Rates, Variable};
use toolforge_routing::{Backend, RouteExtras, host_name};

use self::asking::Admitted;
use super::DataPlane;
use crate::{
    body::ResponseBody,
    headers::port_suffix,
    names::X_FORWARDED_PREFIX,
    page::{own_page, refusal},
    request_body::Visited,
    rules::Refused,
    seen::{record::Record, tally::Event},
    visit::{Scheme, Visit},
};

/// What annotations change of a request on its way to a tool.
pub(super) struct Sending<'a> {
    /// Path and query.
    pub(super) target: Cow<'a, str>,
    /// The endpoint that is asked first.
    pub(super) turn: usize,
    pub(super) extras: &'a Extras,
    admitted: &'a Admitted,
}

impl Sending<'_> {
    /// The largest body of the request, where the platform takes so much.
    pub(super) fn body_limit_bytes(&self, platforms: u64) -> u64 {
        self.extras
            .body_limit_bytes
            .map_or(platforms, |own| own.min(platforms))
    }

    /// Adds what the tool is told. `headers` are those that all tools get.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let prefix = &self.extras.forwarded_prefix;
        for (name, value) in [(HOST, &self.extras.host), (X_FORWARDED_PREFIX, prefix)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        self.admitted.tell(headers);
    }
}

impl DataPlane {
    /// The answer of a route with annotations.
    pub(super) async fn serve_annotated(
        &self,
        visit: &Visit,
        visitor: IpAddr,
        (backend, extras): (&Backend, &RouteExtras),
        request: Box<Visited>,
        record: &mut Record,
    ) -> Response<ResponseBody> {
        let cors = extras.asked.cors.as_ref();
        let origin = cors.and_then(|cors| origins::allowed(cors, request.headers()));
        let at_once = self.answer_at_once(visit, visitor, backend, extras, &request);
        let mut response = match at_once {
            Some(answer) => self.finished(visit, *answer),
            None if origin.is_some() && visit.method == http::Method::OPTIONS => {
                self.finished(visit, origins::preflight())
            }
            None => match self.lead_or_refuse(visit, visitor, backend, extras, request.headers()) {
                Some(answer) => self.finished(visit, *answer),
                None => {
                    self.ask_tool(visit, visitor, (backend, extras), request, record)
                        .await
                }
            },
        };
        if let (Some(cors), Some(origin)) = (cors, origin) {
            origins::tell(cors, origin, response.headers_mut());
        }
        response
    }

    /// The answer to those without TLS where it is asked for, and to those whose addresses are not taken.
    fn answer_at_once(
        &self,
        visit: &Visit,
        visitor: IpAddr,
        backend: &Backend,
        extras: &RouteExtras,
        request: &Visited,
    ) -> Option<Box<Response<ResponseBody>>> {
        let asked = &extras.asked;
        if asked.https_only && visit.scheme == Scheme::Http {
            let host = host_name(visit.authority()).unwrap_or_default();
            let port = port_suffix(self.settings.public_https_port);
            let url = format!("https://{host}{port}{}", visit.path_and_query());
            return Some(led(StatusCode::PERMANENT_REDIRECT, &url, visit));
        }
        let is_denied = asked.denied.as_ref().is_some_and(|denied| denied.holds(visitor));
        let is_other = asked
            .allowed
            .as_ref()
            .is_some_and(|allowed| !allowed.holds(visitor));
        if is_denied || is_other {
            tracing::debug!(
                namespace = backend.namespace.as_str(),
                ingress = backend.ingress.as_str(),
                "address not taken"
            );
            self.tally.happened(Event::Refused);
            let reason = "This tool takes no requests from your address.";
            let accept = request.headers().get(http::header::ACCEPT);
            return Some(Box::new(own_page(StatusCode::FORBIDDEN, accept, Some(reason))));
        }
        None
    }

    /// The answer to those who are led elsewhere, and to those who ask too often.
    fn lead_or_refuse(
        &self,
        visit: &Visit,
        visitor: IpAddr,
        backend: &Backend,
        extras: &RouteExtras,
        headers: &HeaderMap,
    ) -> Option<Box<Response<ResponseBody>>> {
        let asked = &extras.asked;
        if let Some(root) = asked.app_root.as_ref().filter(|_| visit.path() == "/") {
            let mut response = Response::new(ResponseBody::own(""));
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(LOCATION, root.clone());
            return Some(Box::new(response));
        }
        if let Some(redirect) = &asked.redirect {
            let groups = groups(extras, visit);
            let url = redirect
                .to
                .with(|variable| words::word(variable, visit, visitor, headers, &groups));
            let status = StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::FOUND);
            return Some(led(status, &url, visit));
        }
        let wait = self.wait_for(asked.rates.as_ref()?, visitor, backend)?;
        self.tally.happened(Event::TooFast);
        let too_fast = Refused::TooFast(HeaderValue::from(wait));
        Some(Box::new(refusal(&too_fast, visit.accept.as_ref())))
    }

    /// The seconds that an address has to wait, if it asks too often.
    fn wait_for(&self, rates: &Rates, visitor: IpAddr, backend: &Backend) -> Option<u64> {
        if rates.exempt.holds(visitor) {
            return None;
        }
        let buckets = self.shared.buckets.get_or_init(Default::default);
        rates.limits.iter().enumerate().find_map(|(index, rate)| {
            let whose = (&backend.namespace, &backend.ingress, index);
            let size = rate.cost_nanoseconds.saturating_mul(rate.burst);
            let bucket = (rate.cost_nanoseconds, size);
            let wait = buckets
                .take_of(whose, visitor, self.began.elapsed(), bucket)
                .err()?;
            Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        })
    }

    /// What the tool answers to those who may come in.
    async fn ask_tool(
        &self,
        visit: &Visit,
        visitor: IpAddr,
        (backend, extras): (&Backend, &RouteExtras),
        request: Box<Visited>,
        record: &mut Record,
    ) -> Response<ResponseBody> {
        let asked = &*extras.asked;
        if let Err(full) = self.take_place(visit, backend, record).await {
            return *full;
        }
        let admitted = match &asked.auth {
            None => Admitted::default(),
            Some(auth) => {
                let answered = self
                    .ask_whether(auth, visit, visitor, backend, extras, request.headers())
                    .await;
                match answered {
                    Ok(admitted) => admitted,
                    Err(refusal) => return self.finished(visit, *refusal),
                }
            }
        };
        let mut response = if backend.endpoints.is_empty() {
            self.page_instead(visit, StatusCode::SERVICE_UNAVAILABLE, backend, extras)
                .await
        } else {
            let headers = request.headers();
            let choice = endpoint::choose(asked, &backend.endpoints, headers, |variable| {
                words::word(variable, visit, visitor, headers, &[])
            });
            let sending = Sending {
                target: target(extras, visit),
                turn: choice
                    .as_ref()
                    .map_or_else(|| self.next_turn(), |choice| choice.index),
                extras: asked,
                admitted: &admitted,
            };
            let mut response = self.proxy(visit, visitor, backend, request, Some(&sending)).await;
            if let (Some(choice), Some(affinity)) = (choice, &asked.affinity) {
                choice.keep(
                    affinity,
                    &extras.path,
                    visit.scheme,
                    &backend.endpoints,
                    &mut response,
                );
            }
            let status = response.status();
            if asked.error_codes.binary_search(&status.as_u16()).is_ok() {
                response = self.page_instead(visit, status, backend, extras).await;
            }
            response
        };
        let is_good = response.status().as_u16() < 400;
        if is_good || asked.auth.as_ref().is_some_and(|auth| auth.always_set_cookie) {
            for cookie in &admitted.cookies {
                response.headers_mut().append(SET_COOKIE, cookie.clone());
            }
        }
        response
    }

    /// The page for a status: of the Service that the annotations name, whose own status stands, or of the platform.
    async fn page_instead(
        &self,
        visit: &Visit,
        status: StatusCode,
        backend: &Backend,
        extras: &RouteExtras,
    ) -> Response<ResponseBody> {
        if let Some(pages) = &extras.pages
            && let Some(mut page) = self.page_of(pages, visit, status, Some(backend)).await
        {
            self.brought_back(page.headers_mut(), visit, &self.shared.rules.load());
            return page;
        }
        let page = self.ask_default_backend(visit, status, Some(backend)).await;
        self.finished(visit, page)
    }
}

/// What the groups of the path's pattern hold of the request's.
fn groups<'v>(extras: &RouteExtras, visit: &'v Visit) -> Vec<&'v str> {
    let pattern = extras.pattern.as_ref();
    pattern.map_or_else(Vec::new, |pattern| pattern.captures(visit.path()))
}

/// Path and query of which the tool is asked.
pub(super) fn target<'v>(extras: &RouteExtras, visit: &'v Visit) -> Cow<'v, str> {
    let Some(template) = &extras.asked.rewrite else {
        return visit.path_and_query().into();
    };
    let groups = groups(extras, visit);
    let path = template.with(|variable| match variable {
        Variable::Group(number) => groups.get(*number).copied().unwrap_or_default().into(),
        _ => Cow::default(),
    });
    let slash = if path.starts_with('/') { "" } else { "/" };
    match visit.target.query() {
        Some(query) => format!("{slash}{path}?{query}").into(),
        None => format!("{slash}{path}").into(),
    }
}

/// A redirect to a URL; one that cannot be written leads nowhere.
fn led(status: StatusCode, url: &str, visit: &Visit) -> Box<Response<ResponseBody>> {
    let Ok(location) = HeaderValue::from_str(url) else {
        return Box::new(own_page(StatusCode::BAD_REQUEST, visit.accept.as_ref(), None));
    };
    let mut response = Response::new(ResponseBody::own(""));
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, location);
    Box::new(response)
}
