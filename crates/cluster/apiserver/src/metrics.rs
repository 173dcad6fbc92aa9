//! `/metrics`: how much is asked of the API and how it fares, under the names that Kubernetes' dashboards know.
//!
//! The gate counts requests, the admission chain its webhooks; what is stored and what the process takes is looked up
//! when somebody asks. The number of series is bounded, whatever clients ask for.

mod families;
mod running;
mod storage;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::response::Response;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use toolforge_chain::WebhookCall;
use toolforge_figures::{Process, register};

use crate::definitions::Kinds;
use crate::request::RequestInfo;
use crate::store::Store;
pub use families::FAMILIES;
pub(crate) use running::Running;

/// Combinations of verb, resource and code that are counted apart; what comes later is counted as `other`.
const MAX_SERIES: usize = 2000;
/// Webhooks that are counted apart.
const MAX_WEBHOOKS: usize = 200;
/// Upper bounds in seconds for requests, as in Kubernetes.
const REQUEST_SECONDS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0,
    20.0, 30.0, 45.0, 60.0,
];
/// Upper bounds in seconds for webhooks, as in Kubernetes.
const WEBHOOK_SECONDS: [f64; 6] = [0.005, 0.025, 0.1, 0.5, 1.0, 2.5];

/// What a request was about.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub(crate) struct Subject {
    verb: &'static str,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    scope: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Answered {
    subject: Subject,
    code: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Called {
    name: String,
    kind: &'static str,
    operation: &'static str,
    rejected: bool,
}

impl EncodeLabelSet for Subject {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [
            ("verb", self.verb),
            ("group", self.group.as_str()),
            ("version", self.version.as_str()),
            ("resource", self.resource.as_str()),
            ("subresource", self.subresource.as_str()),
            ("scope", self.scope),
            ("component", "apiserver"),
        ]
        .encode(encoder)
    }
}

impl EncodeLabelSet for Answered {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.subject.encode(encoder)?;
        [("code", self.code.to_string())].encode(encoder)
    }
}

impl EncodeLabelSet for Called {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        let rejected = if self.rejected { "true" } else { "false" };
        [
            ("name", self.name.as_str()),
            ("type", self.kind),
            ("operation", self.operation),
            ("rejected", rejected),
        ]
        .encode(encoder)
    }
}

/// Which requests wait for their answer.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Waiting {
    request_kind: &'static str,
}

impl Waiting {
    fn of(reads: bool) -> Self {
        let request_kind = if reads { "readOnly" } else { "mutating" };
        Self { request_kind }
    }
}

type Histograms<S> = Family<S, Histogram, fn() -> Histogram>;

/// All counters of the API.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Histograms<Subject>,
    /// Requests under way that read, and those that write.
    waiting: [Gauge; 2],
    long_running: Family<Subject, Gauge>,
    webhooks: Histograms<Called>,
    /// Series that were begun, so that there are not too many.
    request_series: AtomicUsize,
    webhook_series: AtomicUsize,
}

impl Metrics {
    /// Counters at zero over a store.
    pub(crate) fn new(store: Arc<Store>, kinds: Arc<Kinds>) -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let durations: Histograms<Subject> = Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS));
        let in_flight = Family::<Waiting, Gauge>::default();
        let long_running = Family::default();
        let webhooks: Histograms<Called> = Family::new_with_constructor(|| Histogram::new(WEBHOOK_SECONDS));
        register(&mut registry, &families::REQUESTS, requests.clone());
        register(&mut registry, &families::DURATIONS, durations.clone());
        register(&mut registry, &families::LONG_RUNNING, long_running.clone());
        register(&mut registry, &families::WEBHOOKS, webhooks.clone());
        register(&mut registry, &families::IN_FLIGHT, in_flight.clone());
        register(&mut registry, &families::FLUSHES, store.health().flushes());
        registry.register_collector(Box::new(storage::Stored { store, kinds }));
        Process::Own.register(&mut registry);
        Self {
            registry,
            requests,
            durations,
            waiting: [true, false].map(|reads| in_flight.get_or_create_owned(&Waiting::of(reads))),
            long_running,
            webhooks,
            request_series: AtomicUsize::new(0),
            webhook_series: AtomicUsize::new(0),
        }
    }

    /// The answer to `/metrics`.
    pub(crate) fn answer(&self) -> Response {
        toolforge_figures::answer(&self.registry)
    }

    /// Counts a request as under way while what is returned is there.
    pub(crate) fn begun(&self, reads: bool) -> Running {
        let [reading, writing] = &self.waiting;
        Running::begin(if reads { reading } else { writing }.clone())
    }

    /// Counts a request that has been answered; a stream only begins with its answer, and counts until it ends.
    pub(crate) fn answered(
        &self,
        subject: Subject,
        code: u16,
        taken: Duration,
        is_stream: bool,
    ) -> Option<Running> {
        let answered = self.bounded(subject, code);
        let subject = answered.subject.clone();
        self.requests.get_or_create(&answered).inc();
        if is_stream {
            let gauge = self.long_running.get_or_create_owned(&subject);
            return Some(Running::begin(gauge));
        }
        self.durations
            .get_or_create(&subject)
            .observe(taken.as_secs_f64());
        None
    }

    fn bounded(&self, subject: Subject, code: u16) -> Answered {
        let answered = Answered { subject, code };
        if self.requests.get(&answered).is_some() || self.request_series.fetch_add(1, Relaxed) < MAX_SERIES {
            return answered;
        }
        Answered {
            subject: Subject {
                verb: answered.subject.verb,
                resource: "other".to_owned(),
                ..Subject::default()
            },
            code,
        }
    }
}

impl toolforge_chain::Observer for Metrics {
    fn webhook_called(&self, call: &WebhookCall<'_>) {
        let mut called = Called {
            name: call.name.to_owned(),
            kind: if call.is_mutating { "admit" } else { "validating" },
            operation: call.operation.name(),
            rejected: call.rejected,
        };
        let is_known = self.webhooks.get(&called).is_some();
        if !is_known && self.webhook_series.fetch_add(1, Relaxed) >= MAX_WEBHOOKS {
            "other".clone_into(&mut called.name);
        }
        self.webhooks
            .get_or_create(&called)
            .observe(call.taken.as_secs_f64());
    }
}

impl Subject {
    /// What a request is about. Paths that are no resource count together.
    pub(crate) fn of(info: &RequestInfo) -> Self {
        let verb = match info.verb {
            "create" | "post" => "POST",
            "get" | "head" => "GET",
            "list" => "LIST",
            "watch" => "WATCH",
            "update" | "put" => "PUT",
            "patch" => "PATCH",
            "delete" => "DELETE",
            "deletecollection" => "DELETECOLLECTION",
            _ => "other",
        };
        let Some(found) = &info.resource else {
            return Self {
                verb,
                ..Self::default()
            };
        };
        let scope = match (&found.name, &found.namespace) {
            (Some(_), _) => "resource",
            (None, Some(_)) => "namespace",
            (None, None) => "cluster",
        };
        Self {
            verb,
            group: found.group.clone(),
            version: found.version.clone(),
            resource: found.plural.clone(),
            subresource: found.subresource.clone().unwrap_or_default(),
            scope,
        }
    }

    /// The same without names that only its author made up.
    pub(crate) fn unknown(self) -> Self {
        Self {
            verb: self.verb,
            ..Self::default()
        }
    }
}
