//! The data plane: every request comes in here and is answered from here.
//!
//! It knows a table and its pool of connections, and nothing of the API. One of it runs in every thread; they share
//! what is in [`Shared`], and nothing else.

mod annotated;
mod in_place;
mod passing;

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use toolforge_model::Domain;
use toolforge_routing::{Backend, Decision, RouteExtras, RouteTable};

use crate::{
    body::ResponseBody,
    compression::Desks,
    drain::Drain,
    exchange::Means,
    headers::{backward, finish, finish_own, share},
    legacy::moved,
    limits::REQUEST_BODY_LIMIT_BYTES,
    names::X_FORWARDED_PROTO,
    page::{default_file, health, own_page, refusal},
    policy::Domains,
    pool::{Pool, Pools},
    rate::Buckets,
    redirect::redirect,
    request_body::Visited,
    rooms::{OwnRooms, Rooms},
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
    /// The port under which the public reaches HTTPS.
    pub public_https_port: u16,
    /// The largest request body, in bytes; see [`DataPlaneSettings::new`].
    pub request_body_limit_bytes: u64,
    /// How long what is open at the stop may stay so.
    pub drain: Drain,
}

impl DataPlaneSettings {
    /// The settings of the original: bodies up to 128 MiB; and a quick end.
    pub fn new(public_https_port: u16) -> Self {
        Self {
            public_https_port,
            request_body_limit_bytes: REQUEST_BODY_LIMIT_BYTES,
            drain: Drain::quick(),
        }
    }
}

/// Answers requests out of a table that may change at any time.
#[derive(Debug)]
pub struct DataPlane {
    settings: DataPlaneSettings,
    /// What tools are told of the public port.
    https_port: HeaderValue,
    shared: Shared,
    /// Where the clock of the rules begins.
    began: Instant,
    pool: Arc<Pool>,
    compressions: Desks,
    rooms: OwnRooms,
    /// Counts requests, so that endpoints take turns.
    turn: AtomicUsize,
    /// The same for the default backend: a page in place of an answer must not take a turn of those that answer.
    turn_of_pages: AtomicUsize,
    /// What this one has done.
    pub(crate) tally: Arc<Tally>,
    /// Cancelled when upgraded connections have to end too.
    pub(crate) closing: CancellationToken,
    pub(crate) upgraded: TaskTracker,
}

/// What data planes go by together, whenever it changes.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where requests go.
    pub table: Arc<ArcSwap<RouteTable>>,
    /// Whom to refuse, and what tools are told.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Whose hosts are led from plain HTTP to HTTPS, and from the legacy domain to the main one.
    pub(crate) domains: Arc<ArcSwap<Domains>>,
    pub(crate) access_log: Arc<ArcSwapOption<AccessLog>>,
    pub(crate) rooms: Rooms,
    pub(crate) pools: Pools,
    /// The buckets of all tools that limit how often an address may ask; made when the first of them does.
    pub(crate) buckets: Arc<OnceLock<Buckets>>,
}

impl Shared {
    /// A table under this domain, rules that refuse nobody, and no access log.
    pub fn new(table: RouteTable, domain: Domain) -> Self {
        Self {
            table: Arc::new(ArcSwap::from_pointee(table)),
            rules: Arc::default(),
            domains: Arc::new(ArcSwap::from_pointee(Domains::only(domain))),
            access_log: Arc::default(),
            rooms: Rooms::default(),
            pools: Pools::default(),
            buckets: Arc::default(),
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
    Annotated(Arc<Backend>, Arc<RouteExtras>),
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
        let https_port = HeaderValue::from(settings.public_https_port);
        let (pool, turn) = (Pool::new(), AtomicUsize::new(0));
        let rooms = OwnRooms::new(shared.rooms.clone());
        shared.pools.add(&pool);
        Arc::new(Self {
            settings,
            https_port,
            shared,
            tally,
            began: Instant::now(),
            pool,
            compressions: Desks::default(),
            rooms,
            turn,
            turn_of_pages: AtomicUsize::new(0),
            closing: CancellationToken::new(),
            upgraded: TaskTracker::new(),
        })
    }

    /// How it ends.
    pub(crate) fn drain(&self) -> Drain {
        self.settings.drain
    }

    /// What every answer over this scheme carries, whatever the settings say.
    pub(crate) fn carried(scheme: Scheme) -> HeaderMap {
        let mut headers = HeaderMap::new();
        finish(&mut headers, scheme, None);
        headers
    }

    /// What it goes by now.
    pub(crate) fn rules(&self) -> arc_swap::Guard<Arc<Rules>> {
        self.shared.rules.load()
    }

    /// The answer to a request that came without TLS from this address, and is to be led to HTTPS.
    pub(crate) async fn lead_to_https(&self, peer: IpAddr, request: Box<Visited>) -> Response<ResponseBody> {
        let mut record = Record::new(self.tally.clone());
        let response = self.lead(peer, request, &mut record).await;
        recorded(record, response)
    }

    /// The answer to a request that came without TLS from this address, and is to be served: a trusted proxy may say
    /// that its visitor came over HTTPS.
    pub(crate) fn answer_plain(
        &self,
        peer: IpAddr,
        request: Box<Visited>,
    ) -> impl Future<Output = Response<ResponseBody>> {
        let said = request.headers().get(X_FORWARDED_PROTO);
        let is_https = said.is_some_and(|said| said.as_bytes().eq_ignore_ascii_case(b"https"));
        let scheme = if is_https && self.shared.rules.load().trusts(peer) {
            Scheme::Https
        } else {
            Scheme::Http
        };
        self.answer(peer, scheme, request)
    }

    /// The answer to a request that came from this address.
    pub(crate) async fn answer(
        &self,
        peer: IpAddr,
        scheme: Scheme,
        request: Box<Visited>,
    ) -> Response<ResponseBody> {
        let mut record = Record::new(self.tally.clone());
        let response = self.serve(peer, scheme, request, &mut record).await;
        recorded(record, response)
    }

    async fn lead(&self, peer: IpAddr, request: Box<Visited>, record: &mut Record) -> Response<ResponseBody> {
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
        let domains = self.shared.domains.load_full();
        match redirect(&visit, domains.all(), self.settings.public_https_port) {
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
        request: Box<Visited>,
        record: &mut Record,
    ) -> Response<ResponseBody> {
        let visit = match self.read(&request, scheme) {
            Ok(visit) => visit,
            Err(mut refusal) => {
                let rules = self.shared.rules.load();
                finish_own(refusal.headers_mut(), scheme, rules.report_only.as_ref());
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
                Ok((visitor, Way::Annotated(backend, extras))) => {
                    record.belongs_to(&backend);
                    // Few routes have them: what they need is no part of every request.
                    let annotated =
                        self.serve_annotated(&visit, visitor, (&backend, &extras), request, record);
                    return Box::pin(annotated).await;
                }
                Ok((visitor, Way::Tool(backend))) => {
                    record.belongs_to(&backend);
                    if let Err(full) = self.take_place(&visit, &backend, record).await {
                        return *full;
                    }
                    return self.proxy(&visit, visitor, &backend, request, None).await;
                }
                Ok((_, Way::NoEndpoints(backend))) => {
                    record.belongs_to(&backend);
                    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
                    Box::pin(self.ask_default_backend(&visit, unavailable, Some(&backend))).await
                }
                Ok((_, Way::Nowhere)) => {
                    let page = self.ask_default_backend(&visit, StatusCode::NOT_FOUND, None);
                    let page = Box::pin(page).await;
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
    fn read(&self, request: &Visited, scheme: Scheme) -> Result<Visit, Box<Response<ResponseBody>>> {
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
        request: &Visited,
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
        let legacy = rules.legacy.as_ref()?;
        let domains = self.shared.domains.load();
        legacy.redirect(visit, &domains.main, self.settings.public_https_port, serves)
    }

    fn way(&self, visit: &Visit) -> Way {
        if let Some(redirect) = self.redirect_legacy(visit) {
            return Way::Elsewhere(Box::new(redirect));
        }
        match self.shared.table.load().decide(visit.authority(), visit.path()) {
            Decision::Backend(backend) | Decision::NoEndpoints(backend)
                if let Some(extras) = &backend.extras =>
            {
                Way::Annotated(backend.clone(), extras.clone())
            }
            Decision::Backend(backend) => Way::Tool(backend.clone()),
            Decision::NoEndpoints(backend) => Way::NoEndpoints(backend.clone()),
            Decision::NotFound(_) => Way::Nowhere,
            Decision::Moved(host) => {
                Way::Elsewhere(Box::new(moved(visit, host, self.settings.public_https_port)))
            }
        }
    }

    /// An answer of ours with what every answer carries.
    fn finished(&self, visit: &Visit, mut response: Response<ResponseBody>) -> Response<ResponseBody> {
        let rules = self.shared.rules.load();
        finish_own(response.headers_mut(), visit.scheme, rules.report_only.as_ref());
        response
    }

    /// Makes a tool's headers those of the answer that its visitor gets, by these rules.
    fn brought_back(&self, headers: &mut HeaderMap, visit: &Visit, rules: &Rules) {
        let port = self.settings.public_https_port;
        backward(headers, visit, port, rules.report_only.as_ref());
        if self.shared.domains.load().shares(visit) {
            share(headers);
        }
    }

    /// What requests are sent with.
    fn means(&self) -> Means<'_> {
        Means {
            pool: &self.pool,
            tally: &self.tally,
            failing: self.shared.rules.load().failing,
        }
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

fn new_request_id() -> HeaderValue {
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(rand::random::<u128>().to_ne_bytes()) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::new_request_id;

    #[test]
    fn request_ids_are_128_bits_in_hexadecimal() {
        let ids: Vec<_> = (0..64).map(|_| new_request_id()).collect();
        let mut digits: Vec<u8> = ids.iter().flat_map(|id| id.as_bytes().to_owned()).collect();
        assert_eq!(digits.len(), 64 * 32);
        digits.sort_unstable();
        digits.dedup();
        assert_eq!(digits, b"0123456789abcdef");
        assert_ne!(ids[0], ids[1]);
    }
}
