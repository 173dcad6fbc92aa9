//! `/metrics/resource`: what `kubectl top` is made of. Names, labels and times are kubelet's
//! (<https://kubernetes.io/docs/reference/instrumentation/node-metrics/>).

use toolforge_exposition::{Kind, Page};

use super::{Scene, seconds};
use crate::usage::Reading;

/// One family: its name, what it is, and its figure for a container.
type Family = (&'static str, Kind, &'static str, fn(&Reading) -> Option<f64>);

const CONTAINERS: [Family; 4] = [
    (
        "container_cpu_usage_seconds_total",
        Kind::Counter,
        "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
        |reading| Some(reading.usage.cpu.as_secs_f64()),
    ),
    (
        "container_memory_working_set_bytes",
        Kind::Gauge,
        "[STABLE] Current working set of the container in bytes",
        |reading| Some(float(reading.usage.memory.working_set_bytes)),
    ),
    (
        "container_start_time_seconds",
        Kind::Gauge,
        "[STABLE] Start time of the container since unix epoch in seconds",
        |reading| Some(seconds(reading.started)),
    ),
    (
        "container_swap_usage_bytes",
        Kind::Gauge,
        "[ALPHA] Current amount of the container swap usage in bytes",
        |reading| reading.usage.memory.swap_bytes.map(float),
    ),
];

const PODS: [Family; 3] = [
    (
        "pod_cpu_usage_seconds_total",
        Kind::Counter,
        "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
        CONTAINERS[0].3,
    ),
    (
        "pod_memory_working_set_bytes",
        Kind::Gauge,
        "[STABLE] Current working set of the pod in bytes",
        CONTAINERS[1].3,
    ),
    (
        "pod_swap_usage_bytes",
        Kind::Gauge,
        "[ALPHA] Current amount of the pod swap usage in bytes",
        CONTAINERS[3].3,
    ),
];

pub(super) fn page(scene: &Scene) -> String {
    let mut page = Page::default();
    let now = scene.now.as_millisecond();
    for (name, kind, help, figure) in CONTAINERS {
        page.family(name, kind, help);
        for reading in &scene.readings {
            if let Some(value) = figure(reading) {
                let place = &reading.place;
                let labels = [
                    ("container", place.container.as_str()),
                    ("namespace", place.namespace.as_str()),
                    ("pod", place.pod.as_str()),
                ];
                page.sample_at(name, &labels, value, now);
            }
        }
    }
    let node = &scene.load;
    page.family(
        "node_cpu_usage_seconds_total",
        Kind::Counter,
        "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
    );
    page.sample_at("node_cpu_usage_seconds_total", &[], node.cpu.as_secs_f64(), now);
    page.family(
        "node_memory_working_set_bytes",
        Kind::Gauge,
        "[STABLE] Current working set of the node in bytes",
    );
    page.sample_at(
        "node_memory_working_set_bytes",
        &[],
        node.memory.working_set_bytes,
        now,
    );
    if let Some(swap) = node.memory.swap_bytes {
        page.family(
            "node_swap_usage_bytes",
            Kind::Gauge,
            "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems",
        );
        page.sample_at("node_swap_usage_bytes", &[], swap, now);
    }
    pods(&mut page, scene, now);
    page.single(
        "resource_scrape_error",
        Kind::Gauge,
        "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise",
        0,
    );
    page.into_text()
}

/// A Pod is the sum of its containers: it has no account of its own here.
fn pods(page: &mut Page, scene: &Scene, now: i64) {
    for (name, kind, help, figure) in PODS {
        page.family(name, kind, help);
        // Those of a Pod stand beside each other.
        for pod in scene
            .readings
            .chunk_by(|one, other| one.place.pod_uid == other.place.pod_uid)
        {
            let figures: Vec<f64> = pod.iter().filter_map(figure).collect();
            if let Some(first) = pod.first().filter(|_| !figures.is_empty()) {
                let labels = [
                    ("namespace", first.place.namespace.as_str()),
                    ("pod", first.place.pod.as_str()),
                ];
                page.sample_at(name, &labels, figures.iter().sum::<f64>(), now);
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "amounts of memory are small against 2^53"
)]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
