//! The data plane: every request comes in here and is answered from here.
//!
//! It knows a table and its pool of connections, and nothing of the API. One of it runs in every thread; they share
//! what is in [`Shared`], and nothing else.

use std::{
    io, iter,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, UPGRADE},
};
use tokio_util::sync::CancellationToken;
use toolforge_model::Domain;
use toolforge_routing::{Backend, Decision, RouteTable};

use crate::{
    body::ResponseBody,
    exchange::{ExchangeError, exchange},
    headers::{FixedHeaders, backward, finish, forward, identify},
    http1::tool::Asked,
    limits::REQUEST_BODY_LIMIT_BYTES,
    names::{
        X_CODE, X_FORMAT, X_FORWARDED_PROTO, X_INGRESS_NAME, X_NAMESPACE, X_SERVICE_NAME, X_SERVICE_PORT,
    },
    page::{NO_STORE, default_file, health, own_page, refusal},
    pool::Pool,
    redirect::redirect,
    request_body::{RequestBody, VisitorBody},
    rules::{Refused, Rules},
    seen::{
        access_log::AccessLog,
        record::Record,
        tally::{Event, Tally},
    },
    visit::{Scheme, Visit},
};

/// The path at which the gateway says that it lives, for every host.
const HEALTH_PATH: &str = "/.well-known/healthz";

/// What a data plane is told besides its table.
#[derive(Clone, Debug)]
pub struct DataPlaneSettings {
    /// The domain whose hosts are redirected from plain HTTP to HTTPS.
    pub domain: Domain,
    /// The other domains, and the hosts of the legacy domain, that are redirected too.
    pub other_domains: Vec<Domain>,
    /// The port under which the public reaches HTTPS.
    pub public_https_port: u16,
    /// The largest request body, in bytes; see [`DataPlaneSettings::new`].
    pub request_body_limit_bytes: u64,
    /// A `Content-Security-Policy-Report-Only` for every answer, in place of the tool's own.
    pub content_security_policy_report_only: Option<HeaderValue>,
}

impl DataPlaneSettings {
    /// The settings of the original: bodies up to 128 MiB, no policy on content.
    pub fn new(domain: Domain, public_https_port: u16) -> Self {
        Self {
            domain,
            other_domains: Vec::new(),
            public_https_port,
            request_body_limit_bytes: REQUEST_BODY_LIMIT_BYTES,
            content_security_policy_report_only: None,
        }
    }
}

/// Answers requests out of a table that may change at any time.
#[derive(Debug)]
pub struct DataPlane {
    settings: DataPlaneSettings,
    fixed: FixedHeaders,
    shared: Shared,
    /// Where the clock of the rules begins.
    began: Instant,
    pool: Arc<Pool>,
    /// Counts requests, so that endpoints take turns.
    turn: AtomicUsize,
    /// What this one has done.
    pub(crate) tally: Arc<Tally>,
    /// Cancelled when upgraded connections have to end too.
    pub(crate) closing: CancellationToken,
}

/// What data planes go by together, whenever it changes.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where requests go.
    pub table: Arc<ArcSwap<RouteTable>>,
    /// Whom to refuse, and what tools are told.
    pub rules: Arc<ArcSwap<Rules>>,
    pub(crate) access_log: Arc<ArcSwapOption<AccessLog>>,
}

impl Shared {
    /// A table, rules that refuse nobody, and no access log.
    pub fn new(table: RouteTable) -> Self {
        Self {
            table: Arc::new(ArcSwap::from_pointee(table)),
            rules: Arc::default(),
            access_log: Arc::default(),
        }
    }

    /// Goes by these rules from the next request on.
    ///
    /// # Errors
    /// When the access log that they ask for cannot be opened; then everything stays as it was.
    pub fn set_rules(&self, rules: Arc<Rules>) -> io::Result<()> {
        let current = self.access_log.load_full();
        let log = match &rules.access_log {
            Some(rule) => match current.filter(|log| log.goes_by(rule)) {
                Some(log) => Some(log),
                None => Some(AccessLog::open(rule.clone())?),
            },
            None => None,
        };
        self.access_log.store(log);
        self.rules.store(rules);
        Ok(())
    }
}

/// Where a request goes, out of the table, so that the table is not held while it is on its way.
enum Way {
    Tool(Arc<Backend>),
    NoEndpoints(Arc<Backend>),
    Nowhere,
    Elsewhere(Box<Response<ResponseBody>>),
}

impl DataPlane {
    /// A data plane that goes by what is shared. It must be made inside a tokio runtime, in which its connections then
    /// live.
    pub fn new(settings: DataPlaneSettings, shared: Shared) -> Arc<Self> {
        Self::counting(settings, shared, Arc::default())
    }

    /// As [`Self::new`], counting in this tally.
    pub(crate) fn counting(settings: DataPlaneSettings, shared: Shared, tally: Arc<Tally>) -> Arc<Self> {
        let fixed = FixedHeaders {
            https_port: HeaderValue::from(settings.public_https_port),
            csp_report_only: settings.content_security_policy_report_only.clone(),
        };
        let (pool, turn) = (Pool::new(), AtomicUsize::new(0));
        Arc::new(Self {
            settings,
            fixed,
            shared,
            tally,
            began: Instant::now(),
            pool,
            turn,
            closing: CancellationToken::new(),
        })
    }

    /// What it goes by now.
    pub(crate) fn rules(&self) -> arc_swap::Guard<Arc<Rules>> {
        self.shared.rules.load()
    }

    /// The answer to a request that came without TLS from this address, and is to be led to HTTPS.
    pub(crate) async fn lead_to_https(
        &self,
        peer: IpAddr,
        request: Request<VisitorBody>,
    ) -> Response<ResponseBody> {
        let mut record = Record::new(self.tally.clone());
        let response = self.lead(peer, request, &mut record).await;
        recorded(record, response)
    }

    /// The answer to a request that came without TLS from this address, and is to be served: a trusted proxy may say
    /// that its visitor came over HTTPS.
    pub(crate) async fn answer_plain(
        &self,
        peer: IpAddr,
        request: Request<VisitorBody>,
    ) -> Response<ResponseBody> {
        let said = request.headers().get(X_FORWARDED_PROTO);
        let is_https = said.is_some_and(|said| said.as_bytes().eq_ignore_ascii_case(b"https"));
        let scheme = if is_https && self.shared.rules.load().trusts(peer) {
            Scheme::Https
        } else {
            Scheme::Http
        };
        self.answer(peer, scheme, request).await
    }

    /// The answer to a request that came from this address.
    pub(crate) async fn answer(
        &self,
        peer: IpAddr,
        scheme: Scheme,
        request: Request<VisitorBody>,
    ) -> Response<ResponseBody> {
        let mut record = Record::new(self.tally.clone());
        let response = self.serve(peer, scheme, request, &mut record).await;
        recorded(record, response)
    }

    async fn lead(
        &self,
        peer: IpAddr,
        request: Request<VisitorBody>,
        record: &mut Record,
    ) -> Response<ResponseBody> {
        let visit = match self.read(&request, Scheme::Http) {
            Ok(visit) => visit,
            Err(refusal) => return *refusal,
        };
        if visit.path() == HEALTH_PATH {
            return health();
        }
        if let Err(refused) = self.meet(&visit, peer, &request, record) {
            return *refused;
        }
        if let Some(redirect) = self.redirect_legacy(&visit) {
            return redirect;
        }
        let domains = iter::once(&self.settings.domain).chain(&self.settings.other_domains);
        match redirect(&visit, domains, self.settings.public_https_port) {
            Some(redirect) => redirect,
            None => {
                self.ask_default_backend(&visit, StatusCode::NOT_FOUND, None)
                    .await
            }
        }
    }

    async fn serve(
        &self,
        peer: IpAddr,
        scheme: Scheme,
        request: Request<VisitorBody>,
        record: &mut Record,
    ) -> Response<ResponseBody> {
        let visit = match self.read(&request, scheme) {
            Ok(visit) => visit,
            Err(mut refusal) => {
                finish(refusal.headers_mut(), scheme, &self.fixed);
                return *refusal;
            }
        };
        let response = if visit.path() == HEALTH_PATH {
            health()
        } else {
            match self
                .meet(&visit, peer, &request, record)
                .map(|visitor| (visitor, self.way(&visit)))
            {
                Err(refused) => *refused,
                Ok((_, Way::Elsewhere(redirect))) => *redirect,
                Ok((visitor, Way::Tool(backend))) => {
                    record.belongs_to(&backend);
                    return self.proxy(&visit, visitor, &backend, request).await;
                }
                Ok((_, Way::NoEndpoints(backend))) => {
                    record.belongs_to(&backend);
                    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
                    self.ask_default_backend(&visit, unavailable, Some(&backend))
                        .await
                }
                Ok((_, Way::Nowhere)) => {
                    let page = self
                        .ask_default_backend(&visit, StatusCode::NOT_FOUND, None)
                        .await;
                    match page.status() {
                        StatusCode::NOT_FOUND => default_file(&visit).unwrap_or(page),
                        _ => page,
                    }
                }
            }
        };
        self.finished(&visit, response)
    }

    /// What is asked; or the answer to what cannot be understood.
    fn read(
        &self,
        request: &Request<VisitorBody>,
        scheme: Scheme,
    ) -> Result<Visit, Box<Response<ResponseBody>>> {
        Visit::read(request, scheme, new_request_id).map_err(|refusal| {
            self.tally.happened(Event::Malformed);
            Box::new(own_page(refusal.status, None, Some(refusal.reason)))
        })
    }

    /// Who asks; or the answer to those who get no other.
    fn meet(
        &self,
        visit: &Visit,
        peer: IpAddr,
        request: &Request<VisitorBody>,
        record: &mut Record,
    ) -> Result<IpAddr, Box<Response<ResponseBody>>> {
        let (rules, headers) = (self.shared.rules.load(), request.headers());
        let visitor = rules.visitor(peer, headers);
        let log = self.shared.access_log.load();
        record.write_down(log.as_ref(), visitor, visit, request.version(), headers);
        let Some(refused) = rules.refuse(visitor, headers, || self.began.elapsed()) else {
            return Ok(visitor);
        };
        tracing::debug!(host = visit.authority(), reason = refused.reason(), "refused");
        self.tally.happened(match &refused {
            Refused::TooFast(_) => Event::TooFast,
            _ => Event::Refused,
        });
        Err(Box::new(refusal(&refused, visit.accept.as_ref())))
    }

    fn redirect_legacy(&self, visit: &Visit) -> Option<Response<ResponseBody>> {
        let rules = self.shared.rules.load();
        let serves =
            |host: &str| !matches!(self.shared.table.load().decide(host, "/"), Decision::NotFound(_));
        let (domain, port) = (&self.settings.domain, self.settings.public_https_port);
        rules.legacy.as_ref()?.redirect(visit, domain, port, serves)
    }

    fn way(&self, visit: &Visit) -> Way {
        if let Some(redirect) = self.redirect_legacy(visit) {
            return Way::Elsewhere(Box::new(redirect));
        }
        match self.shared.table.load().decide(visit.authority(), visit.path()) {
            Decision::Backend(backend) => Way::Tool(backend.clone()),
            Decision::NoEndpoints(backend) => Way::NoEndpoints(backend.clone()),
            Decision::NotFound(_) => Way::Nowhere,
        }
    }

    async fn proxy(
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
                response
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

    /// An answer of ours with what every answer carries.
    fn finished(&self, visit: &Visit, mut response: Response<ResponseBody>) -> Response<ResponseBody> {
        finish(response.headers_mut(), visit.scheme, &self.fixed);
        response
    }

    /// The answer in place of one that a tool did not give.
    async fn fault(&self, visit: &Visit, status: StatusCode, backend: &Backend) -> Response<ResponseBody> {
        let response = if status.is_client_error() {
            // The visitor's mistake, and no page of the platform's knows more about it.
            own_page(status, visit.accept.as_ref(), None)
        } else {
            self.ask_default_backend(visit, status, Some(backend)).await
        };
        self.finished(visit, response)
    }

    /// The default backend's page for this status; the gateway's own where there is none to be had.
    ///
    /// Where nothing was found the default backend is asked for the very path, and its status stands. Otherwise a tool
    /// failed, which no status of the page's may hide.
    async fn ask_default_backend(
        &self,
        visit: &Visit,
        status: StatusCode,
        failed: Option<&Backend>,
    ) -> Response<ResponseBody> {
        let backend = self.shared.table.load().default_backend().clone();
        let headers = self.page_headers(visit, status, failed);
        let asked = Asked {
            method: if visit.method == Method::HEAD {
                &Method::HEAD
            } else {
                &Method::GET
            },
            target: if failed.is_none() {
                visit.path_and_query()
            } else {
                "/"
            },
            headers: &headers,
        };
        let answered = exchange(
            &self.pool,
            &backend,
            self.next_turn(),
            &asked,
            RequestBody::default(),
            &self.tally,
        )
        .await;
        let mut response = match answered {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "the default backend does not answer");
                return own_page(status, visit.accept.as_ref(), None);
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return own_page(status, visit.accept.as_ref(), None);
        }
        crate::headers::remove_hop_by_hop(response.headers_mut());
        if failed.is_some() {
            *response.status_mut() = status;
        }
        if response.status().as_u16() >= 400 {
            response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        }
        response
    }

    /// What the default backend is asked: as ingress-nginx asks it, so that its pages can be written for both.
    fn page_headers(&self, visit: &Visit, status: StatusCode, failed: Option<&Backend>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        identify(&mut headers, visit, &self.fixed);
        headers.insert(X_CODE, HeaderValue::from(status.as_u16()));
        if let Some(accept) = &visit.accept {
            headers.insert(X_FORMAT, accept.clone());
            headers.insert(ACCEPT, accept.clone());
        }
        if let Some(failed) = failed {
            for (name, value) in [
                (X_NAMESPACE, &failed.namespace),
                (X_INGRESS_NAME, &failed.ingress),
                (X_SERVICE_NAME, &failed.service),
                (X_SERVICE_PORT, &failed.port),
            ] {
                if let Ok(value) = HeaderValue::from_str(value) {
                    headers.insert(name, value);
                }
            }
        }
        headers
    }

    fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}

/// Notes what the answer is, and has its body note the rest.
fn recorded(mut record: Record, response: Response<ResponseBody>) -> Response<ResponseBody> {
    record.answered(&response, response.body().endpoint());
    response.map(|body| body.recorded(record))
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

fn new_request_id() -> HeaderValue {
    let id = format!("{:032x}", rand::random::<u128>());
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("0"))
}
