//! `/metrics`: what the service did, how long it took, and how the accounts stand.
//!
//! Turns and the loop count here, `health.rs` hands it out. The names `maintain_kubeusers_*` are those of the original, so
//! that its dashboards and alerts go on working. Every label has values from a fixed list.

use std::{
    sync::atomic::AtomicI64,
    time::{Duration, SystemTime},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use toolforge_figures::{Process, register};

use crate::{account::Account, cause::Cause, report::Report};

mod families;
#[cfg(test)]
mod tests;

pub use families::FAMILIES;

/// Upper bounds in seconds: a turn that finds nothing to do takes less than a millisecond, one that makes a tool some tens.
const TURN_SECONDS: [f64; 11] = [
    0.000_25, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];
/// A look at all accounts, from none to thousands that have to be made.
const RUN_SECONDS: [f64; 8] = [0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0];

/// Whose the account is.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    account_type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Standing {
    account_type: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Place {
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failed {
    cause: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

/// What happened to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It has credentials for the first time.
    Created,
    /// It has new credentials.
    Renewed,
    /// It is locked, and has no access any more.
    Disabled,
    /// It is gone, and has no access any more.
    Removed,
}

type Counts = Family<Of, Counter>;
type Number = Gauge<i64, AtomicI64>;

/// All figures of the service.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    runs: Histogram,
    run_finished: Number,
    created: Counts,
    renewed: Counts,
    disabled: Counts,
    removed: Counts,
    accounts: Family<Standing, Number>,
    queue: Family<Place, Number>,
    turns: Family<Ended, Histogram, fn() -> Histogram>,
    failures: Family<Failed, Counter>,
    leading: Number,
    directory_connected: Number,
    directory_read: Number,
    soonest_expiry: Number,
}

impl Metrics {
    pub(crate) fn new(process: Process) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            runs: Histogram::new(RUN_SECONDS),
            run_finished: Gauge::default(),
            created: Family::default(),
            renewed: Family::default(),
            disabled: Family::default(),
            removed: Family::default(),
            accounts: Family::default(),
            queue: Family::default(),
            turns: Family::new_with_constructor(|| Histogram::new(TURN_SECONDS)),
            failures: Family::default(),
            leading: Gauge::default(),
            directory_connected: Gauge::default(),
            directory_read: Gauge::default(),
            soonest_expiry: Gauge::default(),
        };
        for done in [Done::Created, Done::Renewed, Done::Disabled, Done::Removed] {
            for account_type in ["tool", "admin"] {
                // A counter that begins at nothing shows its first step, too.
                drop(metrics.counts(done).get_or_create(&Of { account_type }));
            }
        }
        for cause in Cause::ALL {
            drop(metrics.failures.get_or_create(&Failed { cause: cause.label() }));
        }
        metrics.register(process);
        metrics
    }

    fn register(&mut self, process: Process) {
        let registry = &mut self.registry;
        register(registry, &families::RUNS, self.runs.clone());
        register(registry, &families::RUN_FINISHED, self.run_finished.clone());
        register(registry, &families::CREATED, self.created.clone());
        register(registry, &families::RENEWED, self.renewed.clone());
        register(registry, &families::DISABLED, self.disabled.clone());
        register(registry, &families::REMOVED, self.removed.clone());
        register(registry, &families::ACCOUNTS, self.accounts.clone());
        register(registry, &families::QUEUE, self.queue.clone());
        register(registry, &families::TURNS, self.turns.clone());
        register(registry, &families::FAILURES, self.failures.clone());
        register(registry, &families::LEADING, self.leading.clone());
        register(
            registry,
            &families::DIRECTORY_CONNECTED,
            self.directory_connected.clone(),
        );
        register(registry, &families::DIRECTORY_READ, self.directory_read.clone());
        register(registry, &families::SOONEST_EXPIRY, self.soonest_expiry.clone());
        process.register(registry);
    }

    fn counts(&self, done: Done) -> &Counts {
        match done {
            Done::Created => &self.created,
            Done::Renewed => &self.renewed,
            Done::Disabled => &self.disabled,
            Done::Removed => &self.removed,
        }
    }

    /// Counts what happened to an account.
    pub(crate) fn count(&self, account_type: &'static str, done: Done) {
        self.counts(done).get_or_create(&Of { account_type }).inc();
    }

    /// All accounts have been looked at.
    pub(crate) fn run_ended(&self, took: Duration) {
        self.runs.observe(took.as_secs_f64());
        self.run_finished.set(seconds(SystemTime::now()));
    }

    /// An account has had its turn.
    pub(crate) fn turn_ended(&self, well: bool, took: Duration) {
        let result = if well { "done" } else { "failed" };
        self.turns
            .get_or_create(&Ended { result })
            .observe(took.as_secs_f64());
    }

    /// An account's turn has failed.
    pub(crate) fn turn_failed(&self, cause: Cause) {
        self.failures
            .get_or_create(&Failed { cause: cause.label() })
            .inc();
    }

    /// All figures; without a report, which only the leader has, those of others are not there.
    pub(crate) fn registry(&self, report: Option<&Report>) -> &Registry {
        self.leading.set(i64::from(report.is_some()));
        // What a replica knew when it led is no more.
        self.accounts.clear();
        self.queue.clear();
        if let Some(report) = report {
            self.take(report);
        }
        &self.registry
    }

    fn take(&self, report: &Report) {
        for ((account_type, state), count) in &report.accounts {
            let standing = Standing { account_type, state };
            self.accounts.get_or_create(&standing).set(number(*count));
        }
        let queue = [
            ("due", report.due),
            ("running", report.running),
            ("waiting", report.waiting),
        ];
        for (state, length) in queue {
            self.queue.get_or_create(&Place { state }).set(number(length));
        }
        self.directory_connected
            .set(i64::from(report.directory_is_connected));
        self.directory_read
            .set(report.directory_read.map(seconds).unwrap_or_default());
        self.soonest_expiry.set(report.soonest_expiry.unwrap_or_default());
    }
}

/// How the metrics call the kind of an account.
pub(crate) fn account_type(account: &Account) -> &'static str {
    match account {
        Account::Tool(_) => "tool",
        Account::Admin(_) => "admin",
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn seconds(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
