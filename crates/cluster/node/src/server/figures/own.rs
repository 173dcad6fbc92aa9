//! `/metrics`: the node's own figures, those of kubelet's that have a meaning here.

use std::collections::BTreeSet;

use toolforge_exposition::{Kind, Page};

use super::{Scene, seconds};

pub(super) fn page(scene: &Scene) -> String {
    let mut page = Page::default();
    let pods: BTreeSet<&str> = scene
        .readings
        .iter()
        .map(|reading| reading.place.pod_uid.as_str())
        .collect();
    page.family(
        "kubelet_node_name",
        Kind::Gauge,
        "[ALPHA] The node's name. The count is always 1.",
    );
    page.sample("kubelet_node_name", &[("node", scene.meter.node.as_str())], 1);
    page.family(
        "kubelet_running_containers",
        Kind::Gauge,
        "[ALPHA] Number of containers currently running",
    );
    let running = [("container_state", "running")];
    page.sample("kubelet_running_containers", &running, scene.readings.len());
    page.single(
        "kubelet_running_pods",
        Kind::Gauge,
        "[ALPHA] Number of pods that have a running pod sandbox",
        pods.len(),
    );
    page.single(
        "process_start_time_seconds",
        Kind::Gauge,
        "Start time of the node in seconds since 1970.",
        seconds(scene.meter.started),
    );
    page.into_text()
}
