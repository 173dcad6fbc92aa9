//! What the controllers tell Prometheus: their queues, under the names that Kubernetes' dashboards know, and how their work
//! ends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use toolforge_exposition::{Declared, Label};
use toolforge_figures::{describe, register};

use crate::controller::Controller;
use crate::queue::Counts;
use crate::scheduler::figures::{ATTEMPTS, PENDING, Scheduling};

/// Upper bounds in seconds: work without a write takes microseconds, one with some writes milliseconds.
const SECONDS: [f64; 6] = [0.000_1, 0.001, 0.01, 0.1, 1.0, 10.0];

/// One for each controller.
const NAME: Label = Label::new("name", "one for each controller, the scheduler among them");

const DEPTH: Declared = Declared::gauge("workqueue_depth", "Keys that wait for their turn", &[NAME]);
const ADDS: Declared = Declared::counter("workqueue_adds_total", "Keys that were queued", &[NAME]);
const RETRIES: Declared = Declared::counter(
    "workqueue_retries_total",
    "Keys that were queued again after their work failed",
    &[NAME],
);
const WORK: Declared = Declared::histogram(
    "workqueue_work_duration_seconds",
    "Time that the work on a key took",
    &[NAME],
);
const ENDED: Declared = Declared::counter(
    "toolforge_controllers_reconciles_total",
    "Work on keys that has ended",
    &[
        NAME,
        Label::new(
            "result",
            "`done`, `failed`, or `stale` where the API knew more than the controller",
        ),
    ],
);

/// What the controllers tell.
pub const FAMILIES: &[Declared] = &[DEPTH, ADDS, RETRIES, WORK, ENDED, ATTEMPTS, PENDING];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    name: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    name: &'static str,
    result: &'static str,
}

/// A queue by its controller's name.
type Queues = Arc<Mutex<Vec<(&'static str, Box<dyn Fn() -> Counts + Send + Sync>)>>>;

/// The controllers' figures: given to them, and told by whoever made them.
#[derive(Clone)]
pub struct Figures {
    queues: Queues,
    work: Family<Of, Histogram, fn() -> Histogram>,
    ended: Family<Ended, Counter>,
    scheduling: Scheduling,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            queues: Queues::default(),
            work: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            ended: Family::default(),
            scheduling: Scheduling::default(),
        }
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Figures {
    /// The registry of them all.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Reading(self.queues.clone())));
        register(&mut registry, &WORK, self.work.clone());
        register(&mut registry, &ENDED, self.ended.clone());
        self.scheduling.register(&mut registry);
        registry
    }

    /// Those of the scheduler.
    pub(crate) fn scheduling(&self) -> Scheduling {
        self.scheduling.clone()
    }

    /// Tells of a controller's queue from now on.
    pub(crate) fn watch<C: Controller>(&self, controller: &Arc<C>) {
        for result in ["done", "failed", "stale"] {
            // A counter that begins at nothing shows its first step, too.
            drop(self.ended.get_or_create(&Ended {
                name: C::NAME,
                result,
            }));
        }
        let controller = controller.clone();
        self.queues
            .lock()
            .push((C::NAME, Box::new(move || controller.queue().counts())));
    }

    /// The work on a key has ended.
    pub(crate) fn worked(&self, name: &'static str, result: &'static str, took: Duration) {
        self.work.get_or_create(&Of { name }).observe(took.as_secs_f64());
        self.ended.get_or_create(&Ended { name, result }).inc();
    }
}

/// The queues when somebody asks.
struct Reading(Queues);

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let queues = self.0.lock();
        let counts: Vec<_> = queues.iter().map(|(name, counts)| (*name, counts())).collect();
        let mut family = describe(&mut encoder, &DEPTH)?;
        for (name, counts) in &counts {
            let depth = i64::try_from(counts.depth).unwrap_or(i64::MAX);
            ConstGauge::new(depth).encode(family.encode_family(&[("name", *name)])?)?;
        }
        let mut family = describe(&mut encoder, &ADDS)?;
        for (name, counts) in &counts {
            ConstCounter::new(counts.adds).encode(family.encode_family(&[("name", *name)])?)?;
        }
        let mut family = describe(&mut encoder, &RETRIES)?;
        for (name, counts) in &counts {
            ConstCounter::new(counts.retries).encode(family.encode_family(&[("name", *name)])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::{Again, Failure};
    use crate::queue::Queue;

    struct Idle(Queue<String>);

    impl Controller for Idle {
        type Key = String;
        const NAME: &'static str = "idle";

        fn queue(&self) -> &Queue<String> {
            &self.0
        }

        async fn reconcile(&self, _: &String) -> Result<Again, Failure> {
            std::future::ready(Ok(None)).await
        }
    }

    #[tokio::test]
    async fn queues_and_work_are_told_as_declared() {
        let (figures, controller) = (Figures::default(), Arc::new(Idle(Queue::new())));
        figures.watch(&controller);
        controller.queue().add("a".to_owned());
        controller.queue().add("a".to_owned());
        controller.queue().add("b".to_owned());
        let key = controller.queue().next().await;
        controller.queue().failed(&key);
        figures.worked(Idle::NAME, "failed", Duration::from_millis(2));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &figures.registry()).unwrap();
        let undeclared = toolforge_exposition::undeclared(&text, FAMILIES);
        assert!(undeclared.is_empty(), "{undeclared:?}");
        for line in [
            "workqueue_depth{name=\"idle\"} 1\n",
            "workqueue_adds_total{name=\"idle\"} 2\n",
            "workqueue_retries_total{name=\"idle\"} 1\n",
            "workqueue_work_duration_seconds_bucket{le=\"0.01\",name=\"idle\"} 1\n",
            "toolforge_controllers_reconciles_total{name=\"idle\",result=\"failed\"} 1\n",
            "toolforge_controllers_reconciles_total{name=\"idle\",result=\"done\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
