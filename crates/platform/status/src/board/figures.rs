//! What the status pages tell Prometheus of themselves.

use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use toolforge_exposition::{Declared, Label};
use toolforge_figures::{describe, register};

use super::pulse::Pulse;
use super::route::Route;

/// Upper bounds in seconds: most pages take less than a millisecond, those of all tools some tens.
const SECONDS: [f64; 7] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 2.5];

const PAGES: Declared = Declared::histogram(
    "toolforge_status_page_seconds",
    "Time that pages took to make",
    &[Label::new(
        "page",
        "`overview`, `nodes`, `node`, `namespaces`, `namespace`, `pod`, `ingress`, `images`, `image`, `search`, `none`",
    )],
);
const VIEWERS: Declared = Declared::gauge(
    "toolforge_status_live_viewers",
    "Browsers that are told of changes as they come",
    &[],
);
const SILENT: Declared = Declared::gauge(
    "toolforge_status_api_silent_seconds",
    "How long ago the API last answered; -1 before it has for the first time",
    &[],
);

/// What the status pages tell.
pub const BOARD_FAMILIES: &[Declared] = &[PAGES, VIEWERS, SILENT];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Shown {
    page: &'static str,
}

/// Pages and viewers, counted.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pages: Family<Shown, Histogram, fn() -> Histogram>,
    viewers: Gauge,
}

/// Counts as a viewer until it is dropped.
#[derive(Debug)]
pub(crate) struct Viewer(Gauge);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Figures {
    pub(crate) fn new() -> Self {
        Self {
            pages: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            viewers: Gauge::default(),
        }
    }

    /// A page has been made.
    pub(crate) fn shown(&self, route: Option<&Route>, took: Duration) {
        let page = route.map_or("none", name);
        self.pages
            .get_or_create(&Shown { page })
            .observe(took.as_secs_f64());
    }

    /// Somebody wants to be told of changes.
    pub(crate) fn viewer(&self) -> Viewer {
        self.viewers.inc();
        Viewer(self.viewers.clone())
    }

    /// The registry of them all.
    pub(crate) fn registry(&self, pulse: &Pulse) -> Registry {
        let mut registry = Registry::default();
        register(&mut registry, &PAGES, self.pages.clone());
        register(&mut registry, &VIEWERS, self.viewers.clone());
        registry.register_collector(Box::new(Silence(pulse.clone())));
        registry
    }
}

fn name(route: &Route) -> &'static str {
    match route {
        Route::Overview => "overview",
        Route::Nodes => "nodes",
        Route::Node(_) => "node",
        Route::Namespaces => "namespaces",
        Route::Namespace(_) => "namespace",
        Route::Pod(..) => "pod",
        Route::Ingress(..) => "ingress",
        Route::Images => "images",
        Route::Image(_) => "image",
        Route::Search(_) => "search",
    }
}

#[derive(Debug)]
struct Silence(Pulse);

impl Collector for Silence {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let seconds = self.0.age().map_or(-1.0, |age| age.as_secs_f64());
        ConstGauge::new(seconds).encode(describe(&mut encoder, &SILENT)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_told_is_declared_and_viewers_leave() {
        let figures = Figures::new();
        figures.shown(Some(&Route::Overview), Duration::ZERO);
        figures.shown(None, Duration::ZERO);
        let told = || {
            let mut text = String::new();
            let registry = figures.registry(&Pulse::default());
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        let viewer = figures.viewer();
        let text = told();
        let undeclared = toolforge_exposition::undeclared(&text, BOARD_FAMILIES);
        assert!(undeclared.is_empty(), "{undeclared:?}");
        assert!(
            text.contains("toolforge_status_page_seconds_count{page=\"none\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("toolforge_status_live_viewers 1\n"), "{text}");
        assert!(
            text.contains("toolforge_status_api_silent_seconds -1.0\n"),
            "{text}"
        );
        drop(viewer);
        assert!(told().contains("toolforge_status_live_viewers 0\n"));
    }
}
