//! What the directory tells Prometheus of itself.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ldap3_proto::proto::{LdapOp, LdapResult, LdapResultCode};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::Registry,
};
use toolforge_exposition::{Declared, Label};
use toolforge_figures::{describe, register};

use crate::server::Shared;

/// Upper bounds in seconds: a batch of writes waits for the disk once.
const SECONDS: [f64; 7] = [0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5];

const CONNECTIONS: Declared = Declared::gauge(
    "toolforge_directory_connections",
    "Connections of clients that speak LDAP over TLS",
    &[],
);
const FOLLOWERS: Declared = Declared::gauge(
    "toolforge_directory_followers",
    "Searches that are told of changes as they come, such as the account service's",
    &[],
);
const ANSWERS: Declared = Declared::counter(
    "toolforge_directory_answers_total",
    "Operations that were answered",
    &[
        Label::new(
            "operation",
            "`bind`, `search`, `compare`, `add`, `modify`, `delete`, `rename`, `extended`",
        ),
        Label::new("result", "`done`, `refused`"),
    ],
);
const HANDSHAKES: Declared = Declared::counter(
    "toolforge_directory_failed_handshakes_total",
    "Clients that left without TLS, failed its handshake or took too long for it",
    &[],
);
const ENTRIES: Declared = Declared::gauge("toolforge_directory_entries", "Entries of the directory", &[]);
const STORED: Declared = Declared::histogram(
    "toolforge_directory_store_seconds",
    "Time until a batch of writes was on disk, in the journal or in the file",
    &[],
);
const NOT_STORED: Declared = Declared::counter(
    "toolforge_directory_store_failures_total",
    "Batches of writes that the disk did not take, and that were refused",
    &[],
);

/// What the directory tells.
pub const FAMILIES: &[Declared] = &[
    CONNECTIONS,
    FOLLOWERS,
    ANSWERS,
    HANDSHAKES,
    ENTRIES,
    STORED,
    NOT_STORED,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    operation: &'static str,
    result: &'static str,
}

/// All that is counted.
#[derive(Debug)]
pub(crate) struct Figures {
    connections: Gauge,
    answers: Family<Answered, Counter>,
    failed_handshakes: Counter,
    stored: Histogram,
    not_stored: Counter,
}

/// Counts as a connection until it is dropped.
#[derive(Debug)]
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Figures {
    pub(crate) fn new() -> Self {
        Self {
            connections: Gauge::default(),
            answers: Family::default(),
            failed_handshakes: Counter::default(),
            stored: Histogram::new(SECONDS),
            not_stored: Counter::default(),
        }
    }

    /// Somebody speaks LDAP.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// Somebody left before that.
    pub(crate) fn handshake_failed(&self) {
        self.failed_handshakes.inc();
    }

    /// A message goes out; those that end an operation count.
    pub(crate) fn sent(&self, op: &LdapOp) {
        if let Some((operation, result)) = ended(op) {
            let is_done = matches!(
                result.code,
                LdapResultCode::Success | LdapResultCode::CompareTrue | LdapResultCode::CompareFalse
            );
            let result = if is_done { "done" } else { "refused" };
            self.answers.get_or_create(&Answered { operation, result }).inc();
        }
    }

    /// A batch of writes is on disk, or is not.
    pub(crate) fn stored(&self, well: bool, took: Duration) {
        if well {
            self.stored.observe(took.as_secs_f64());
        } else {
            self.not_stored.inc();
        }
    }

    /// The registry of them all, and of what is counted when somebody asks.
    pub(crate) fn registry(&self, shared: &Arc<Shared>) -> Registry {
        for operation in ["bind", "search"] {
            // A counter that begins at nothing shows its first step, too.
            let result = "done";
            drop(self.answers.get_or_create(&Answered { operation, result }));
        }
        let mut registry = Registry::default();
        register(&mut registry, &CONNECTIONS, self.connections.clone());
        register(&mut registry, &ANSWERS, self.answers.clone());
        register(&mut registry, &HANDSHAKES, self.failed_handshakes.clone());
        register(&mut registry, &STORED, self.stored.clone());
        register(&mut registry, &NOT_STORED, self.not_stored.clone());
        registry.register_collector(Box::new(Reading(Arc::downgrade(shared))));
        registry
    }
}

/// The operation that a message ends, and how.
fn ended(op: &LdapOp) -> Option<(&'static str, &LdapResult)> {
    Some(match op {
        LdapOp::BindResponse(response) => ("bind", &response.res),
        LdapOp::SearchResultDone(result) => ("search", result),
        LdapOp::CompareResult(result) => ("compare", result),
        LdapOp::AddResponse(result) => ("add", result),
        LdapOp::ModifyResponse(result) => ("modify", result),
        LdapOp::DelResponse(result) => ("delete", result),
        LdapOp::ModifyDNResponse(result) => ("rename", result),
        LdapOp::ExtendedResponse(response) => ("extended", &response.res),
        _ => return None,
    })
}

/// The directory when somebody asks.
struct Reading(Weak<Shared>);

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(shared) = self.0.upgrade() else {
            return Ok(());
        };
        let number = |count: usize| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        number(shared.tree().entries().count()).encode(describe(&mut encoder, &ENTRIES)?)?;
        number(shared.followers()).encode(describe(&mut encoder, &FOLLOWERS)?)
    }
}
