//! `/metrics`: the node's own figures, those of kubelet's that have a meaning here.

use std::collections::BTreeSet;

use toolforge_exposition::{Declared, Label, Page};

use super::Scene;

const NODE: Declared = Declared::gauge(
    "kubelet_node_name",
    "The node's name. The count is always 1",
    &[Label::new("node", "one for each node")],
);
const CONTAINERS: Declared = Declared::gauge(
    "kubelet_running_containers",
    "Number of containers currently running",
    &[Label::new("container_state", "`running`")],
);
const PODS: Declared = Declared::gauge(
    "kubelet_running_pods",
    "Number of pods that have a running pod sandbox",
    &[],
);

/// What the node tells of itself; the process is the API's to tell of, with which it is started.
pub const FAMILIES: &[Declared] = &[NODE, CONTAINERS, PODS];

pub(super) fn page(scene: &Scene) -> String {
    let mut page = Page::default();
    let pods: BTreeSet<&str> = scene
        .readings
        .iter()
        .map(|reading| reading.place.pod_uid.as_str())
        .collect();
    page.family(NODE.name, NODE.kind, NODE.help);
    page.sample(NODE.name, &[("node", scene.meter.node.as_str())], 1);
    page.family(CONTAINERS.name, CONTAINERS.kind, CONTAINERS.help);
    let running = [("container_state", "running")];
    page.sample(CONTAINERS.name, &running, scene.readings.len());
    page.single(PODS.name, PODS.kind, PODS.help, pods.len());
    page.into_text()
}
