//! What the pages tell Prometheus of themselves.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use toolforge_exposition::{Declared, Label};
use toolforge_figures::{describe, register};

use super::known::Known;

const ANSWERS: Declared = Declared::counter(
    "toolforge_fourohfour_answers_total",
    "Pages that visitors got in place of a tool, by status",
    &[Label::new(
        "code",
        "`301`, `404`, `502`, `503`, `504`, and what else the gateway gives up with",
    )],
);
const TOOLS: Declared = Declared::gauge(
    "toolforge_fourohfour_tools",
    "Tools that are known, to tell those that do not serve from those that do not exist",
    &[],
);

/// What the pages tell that answer for what is not there.
pub const FOUROHFOUR_FAMILIES: &[Declared] = &[ANSWERS, TOOLS];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    code: u16,
}

/// Pages, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures(Family<Answered, Counter>);

impl Figures {
    /// A page has been answered.
    pub(super) fn answered(&self, code: u16) {
        self.0.get_or_create(&Answered { code }).inc();
    }

    /// The registry of them all.
    pub(super) fn registry(&self, known: &Arc<Known>) -> Registry {
        // A counter that begins at nothing shows its first step, too.
        drop(self.0.get_or_create(&Answered { code: 404 }));
        let mut registry = Registry::default();
        register(&mut registry, &ANSWERS, self.0.clone());
        registry.register_collector(Box::new(Tools(known.clone())));
        registry
    }
}

#[derive(Debug)]
struct Tools(Arc<Known>);

impl Collector for Tools {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let count = self.0.tools().map_or(0, |tools| tools.names().count());
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        ConstGauge::new(count).encode(describe(&mut encoder, &TOOLS)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_told_is_declared() {
        let figures = Figures::default();
        figures.answered(503);
        let mut text = String::new();
        let registry = figures.registry(&Arc::default());
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let undeclared = toolforge_exposition::undeclared(&text, FOUROHFOUR_FAMILIES);
        assert!(undeclared.is_empty(), "{undeclared:?}");
        assert!(
            text.contains("toolforge_fourohfour_answers_total{code=\"503\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("toolforge_fourohfour_tools 0\n"), "{text}");
    }
}
