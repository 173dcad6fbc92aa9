//! When a probe runs and what its outcomes mean.
//!
//! Until readiness or startup has succeeded once, or for the first period, probes follow each other quickly: a tool
//! that listens after 50 ms is not kept waiting for ten seconds. Failures of that time count once per period, so that
//! `failureThreshold` means what it says.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Probe;

use super::facts::seconds;

/// The first pause between quick probes: a program that was just started needs about this long to listen.
const QUICK_FIRST: SignedDuration = SignedDuration::from_millis(10);
/// Each pause is half as long again as the one before.
const QUICK_GROWTH: f64 = 1.5;
/// Period when the Pod names none, in seconds; the API's default.
const PERIOD_SECONDS: i64 = 10;
/// Failures in a row that count when the Pod names no number; the API's default.
const FAILURES: u32 = 3;

/// Which of a container's probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProbeKind {
    Startup,
    Liveness,
    Readiness,
}

impl ProbeKind {
    /// The name at the start of events.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// A probe's numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProbeFacts {
    pub(super) kind: ProbeKind,
    pub(super) initial_delay: SignedDuration,
    pub(super) period: SignedDuration,
    pub(super) successes: u32,
    pub(super) failures: u32,
    /// Its own grace period for the stop that it causes.
    pub(super) grace: Option<Duration>,
}

impl ProbeFacts {
    pub(super) fn of(probe: &Probe, kind: ProbeKind) -> Self {
        let count = |value: Option<i32>, default: u32| {
            value
                .and_then(|value| u32::try_from(value).ok())
                .unwrap_or(default)
                .max(1)
        };
        let time = |value: Option<i32>, default: i64| {
            SignedDuration::from_secs(value.map_or(default, i64::from).max(0))
        };
        Self {
            kind,
            initial_delay: time(probe.initial_delay_seconds, 0),
            period: time(probe.period_seconds, PERIOD_SECONDS).max(SignedDuration::from_secs(1)),
            successes: count(probe.success_threshold, 1),
            failures: count(probe.failure_threshold, FAILURES),
            grace: probe.termination_grace_period_seconds.map(seconds),
        }
    }
}

/// What an outcome changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// A failure that counts, but not yet enough of them.
    Failing,
    /// Enough successes in a row.
    Passed,
    /// Enough failures in a row.
    Failed,
}

/// A probe of a running container.
#[derive(Debug, Clone)]
pub(super) struct ProbeState {
    pub(super) facts: ProbeFacts,
    /// When it runs next; none while it runs.
    next: Option<Timestamp>,
    first: Timestamp,
    counted: Timestamp,
    tries: i32,
    in_a_row: u32,
    was_success: bool,
    pub(super) passed_once: bool,
}

impl ProbeState {
    /// A probe of a container that started now.
    pub(super) fn new(facts: ProbeFacts, now: Timestamp) -> Self {
        let first = now + facts.initial_delay;
        Self {
            facts,
            next: Some(first),
            first,
            counted: first,
            tries: 0,
            in_a_row: 0,
            was_success: false,
            passed_once: false,
        }
    }

    /// When it wants to run next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Marks it as running.
    pub(super) fn begin(&mut self) {
        self.next = None;
    }

    /// Takes an outcome.
    pub(super) fn take(&mut self, success: bool, now: Timestamp) -> Change {
        let quick = self.is_quick(now);
        if self.was_success != success {
            self.in_a_row = 0;
        }
        self.was_success = success;
        let counts = success || !quick || now.duration_since(self.counted) >= self.facts.period;
        if counts {
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.counted = now;
        }
        let change = match (success, counts) {
            (true, _) if self.in_a_row >= self.facts.successes => Change::Passed,
            (false, true) if self.in_a_row >= self.facts.failures => Change::Failed,
            (false, true) => Change::Failing,
            _ => Change::None,
        };
        self.passed_once |= change == Change::Passed;
        self.next = Some(now + self.pause(now));
        self.tries = self.tries.saturating_add(1);
        change
    }

    fn is_quick(&self, now: Timestamp) -> bool {
        self.facts.kind != ProbeKind::Liveness
            && !self.passed_once
            && now.duration_since(self.first) < self.facts.period
    }

    fn pause(&self, now: Timestamp) -> SignedDuration {
        if !self.is_quick(now) {
            return self.facts.period;
        }
        let factor = QUICK_GROWTH.powi(self.tries.min(64));
        SignedDuration::try_from_secs_f64(QUICK_FIRST.as_secs_f64() * factor)
            .unwrap_or(self.facts.period)
            .min(self.facts.period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(kind: ProbeKind) -> ProbeFacts {
        ProbeFacts::of(
            &Probe {
                period_seconds: Some(10),
                failure_threshold: Some(2),
                ..Default::default()
            },
            kind,
        )
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).expect("time")
    }

    #[test]
    fn readiness_is_asked_quickly_until_it_passes() {
        let mut probe = ProbeState::new(facts(ProbeKind::Readiness), at(0));
        assert_eq!(probe.next(), Some(at(0)));
        probe.begin();
        assert_eq!(probe.next(), None);
        assert_eq!(probe.take(false, at(1)), Change::None);
        assert_eq!(probe.next(), Some(at(11)));
        assert_eq!(probe.take(false, at(12)), Change::None);
        assert_eq!(probe.next(), Some(at(27)));
        assert_eq!(probe.take(true, at(28)), Change::Passed);
        assert_eq!(probe.next(), Some(at(10_028)));
    }

    #[test]
    fn quick_failures_count_once_per_period() {
        let mut probe = ProbeState::new(facts(ProbeKind::Startup), at(0));
        for time in [1, 12, 5_000, 9_000] {
            assert_eq!(probe.take(false, at(time)), Change::None, "{time}");
        }
        assert_eq!(probe.take(false, at(10_000)), Change::Failing);
        assert_eq!(probe.next(), Some(at(20_000)));
        assert_eq!(probe.take(false, at(20_000)), Change::Failed);
    }

    #[test]
    fn liveness_keeps_its_period_and_counts_every_failure() {
        let mut probe = ProbeState::new(facts(ProbeKind::Liveness), at(0));
        assert_eq!(probe.take(false, at(0)), Change::Failing);
        assert_eq!(probe.next(), Some(at(10_000)));
        assert_eq!(probe.take(true, at(10_000)), Change::Passed);
        assert_eq!(
            probe.take(false, at(20_000)),
            Change::Failing,
            "a success starts the count over"
        );
        assert_eq!(probe.take(false, at(30_000)), Change::Failed);
    }

    #[test]
    fn the_initial_delay_is_kept() {
        let mut facts = facts(ProbeKind::Readiness);
        facts.initial_delay = SignedDuration::from_secs(5);
        assert_eq!(ProbeState::new(facts, at(0)).next(), Some(at(5_000)));
    }

    #[test]
    fn several_successes_may_be_asked_for() {
        let mut facts = facts(ProbeKind::Readiness);
        facts.successes = 2;
        let mut probe = ProbeState::new(facts, at(0));
        assert_eq!(probe.take(true, at(1)), Change::None);
        assert_eq!(probe.take(true, at(12)), Change::Passed);
    }
}
