//! What the scheduler tells Prometheus, under the names of Kubernetes' own.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use toolforge_exposition::{Declared, Label};
use toolforge_figures::register;

pub(crate) const ATTEMPTS: Declared = Declared::counter(
    "scheduler_schedule_attempts_total",
    "Tries to find a node for a Pod",
    &[
        Label::new(
            "result",
            "`scheduled`, `unschedulable` where no node has room, `error` where the API did not take it",
        ),
        Label::new("profile", "`default-scheduler`"),
    ],
);
pub(crate) const PENDING: Declared = Declared::gauge(
    "scheduler_pending_pods",
    "Pods that wait for a node; those that have not been looked at yet are in `workqueue_depth`",
    &[Label::new("queue", "`unschedulable`")],
);

const PROFILE: &str = "default-scheduler";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Attempt {
    result: &'static str,
    profile: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Waiting {
    queue: &'static str,
}

impl Waiting {
    fn of_all() -> Self {
        Self {
            queue: "unschedulable",
        }
    }
}

/// The scheduler's figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduling {
    attempts: Family<Attempt, Counter>,
    pending: Family<Waiting, Gauge>,
}

impl Scheduling {
    pub(crate) fn register(&self, registry: &mut Registry) {
        for result in ["scheduled", "unschedulable", "error"] {
            // A counter that begins at nothing shows its first step, too.
            drop(self.attempts.get_or_create(&Attempt::of(result)));
        }
        drop(self.pending.get_or_create(&Waiting::of_all()));
        register(registry, &ATTEMPTS, self.attempts.clone());
        register(registry, &PENDING, self.pending.clone());
    }

    /// A try has ended.
    pub(crate) fn tried(&self, result: &'static str) {
        self.attempts.get_or_create(&Attempt::of(result)).inc();
    }

    /// So many Pods fit nowhere now.
    pub(crate) fn waiting(&self, pods: usize) {
        let pods = i64::try_from(pods).unwrap_or(i64::MAX);
        self.pending.get_or_create(&Waiting::of_all()).set(pods);
    }
}

impl Attempt {
    fn of(result: &'static str) -> Self {
        Self {
            result,
            profile: PROFILE,
        }
    }
}
