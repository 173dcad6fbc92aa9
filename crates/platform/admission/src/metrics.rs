//! `/metrics`: how much the guards are asked, what they answer, how long they take, and until when the certificate is
//! good. Every label has values from a fixed list: whoever asks cannot make series.

use std::sync::atomic::AtomicI64;
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use toolforge_figures::{Process, register};

mod families;

pub use families::FAMILIES;

/// Upper bounds in seconds: a verdict takes microseconds, a look at the API milliseconds, and after ten seconds nobody
/// waits any longer.
const SECONDS: [f64; 12] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0,
];

/// One answer.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Reviewed {
    pub(crate) guard: &'static str,
    pub(crate) operation: &'static str,
    /// `allowed`, `refused`, or `later` where nobody could say yet.
    pub(crate) verdict: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    guard: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Because {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Found {
    result: &'static str,
}

/// All counters of the server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    reviews: Family<Reviewed, Counter>,
    durations: Family<Of, Histogram, fn() -> Histogram>,
    unreadable: Family<Because, Counter>,
    look_ups: Family<Found, Counter>,
    certificate_expiry: Gauge<i64, AtomicI64>,
}

impl Metrics {
    pub(crate) fn new(process: Process) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            reviews: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            unreadable: Family::default(),
            look_ups: Family::default(),
            certificate_expiry: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        register(registry, &families::REVIEWS, metrics.reviews.clone());
        register(registry, &families::DURATIONS, metrics.durations.clone());
        register(registry, &families::UNREADABLE, metrics.unreadable.clone());
        register(registry, &families::LOOK_UPS, metrics.look_ups.clone());
        register(
            registry,
            &families::CERTIFICATE_ENDS,
            metrics.certificate_expiry.clone(),
        );
        process.register(registry);
        metrics
    }

    pub(crate) fn answered(&self, review: &Reviewed, took: Duration) {
        let of = Of { guard: review.guard };
        self.durations.get_or_create(&of).observe(took.as_secs_f64());
        self.reviews.get_or_create(review).inc();
    }

    pub(crate) fn unreadable(&self, reason: &'static str) {
        self.unreadable.get_or_create(&Because { reason }).inc();
    }

    /// `found`, `missing` or `failed`.
    pub(crate) fn looked_up(&self, result: &'static str) {
        self.look_ups.get_or_create(&Found { result }).inc();
    }

    /// The counters, with the end of the certificate that is presented now.
    pub(crate) fn registry(&self, certificate_ends: Option<SystemTime>) -> &Registry {
        let ends = certificate_ends.and_then(|ends| ends.duration_since(SystemTime::UNIX_EPOCH).ok());
        let ends = ends.and_then(|since| i64::try_from(since.as_secs()).ok());
        self.certificate_expiry.set(ends.unwrap_or_default());
        &self.registry
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use toolforge_figures::PROCESS;

    use super::*;

    #[test]
    fn the_end_of_the_certificate_is_told_as_it_is_now() {
        let metrics = Metrics::new(Process::Own);
        for seconds in [1_900_000_000, 1_800_000_000] {
            let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let mut text = String::new();
            encode(&mut text, metrics.registry(Some(ends))).unwrap();
            let line = format!("toolforge_admission_certificate_expiry_timestamp_seconds {seconds}\n");
            assert!(text.contains(&line), "{text}");
        }
    }
    #[test]
    fn all_that_is_told_is_declared() {
        let metrics = Metrics::new(Process::Own);
        metrics.answered(
            &Reviewed {
                guard: "ingress",
                operation: "CREATE",
                verdict: "allowed",
            },
            Duration::ZERO,
        );
        metrics.unreadable("too_large");
        metrics.looked_up("found");
        let mut text = String::new();
        encode(&mut text, metrics.registry(None)).unwrap();
        let undeclared = toolforge_exposition::undeclared(&text, &[FAMILIES, PROCESS].concat());
        assert!(undeclared.is_empty(), "{undeclared:?}");
    }
}
