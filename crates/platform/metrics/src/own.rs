//! What the component tells of itself.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use toolforge_exposition::{Declared, Label};
use toolforge_figures::{Process, register};

pub(crate) const OBJECTS: Declared = Declared::gauge(
    "toolforge_metrics_objects",
    "Objects whose state is told here, by resource",
    &[Label::new(
        "resource",
        "the kinds that have figures, in the plural",
    )],
);
const LOOKS: Declared = Declared::counter(
    "toolforge_metrics_node_looks_total",
    "Looks at what is used on nodes",
    &[Label::new("result", "`done`, `failed`")],
);

/// What the metrics server tells of itself, behind the state of objects.
pub const FAMILIES: &[Declared] = &[OBJECTS, LOOKS];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

/// Looks at nodes, counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks(Family<Ended, Counter>);

impl Looks {
    /// A look has come to its end.
    pub(crate) fn ended(&self, well: bool) {
        let result = if well { "done" } else { "failed" };
        self.0.get_or_create(&Ended { result }).inc();
    }
}

/// The registry of it all; how many objects there are is told where they are.
pub(crate) fn registry(looks: &Looks, process: Process) -> Registry {
    let mut registry = Registry::default();
    for result in ["done", "failed"] {
        // A counter that begins at nothing shows its first step, too.
        drop(looks.0.get_or_create(&Ended { result }));
    }
    register(&mut registry, &LOOKS, looks.0.clone());
    process.register(&mut registry);
    registry
}
