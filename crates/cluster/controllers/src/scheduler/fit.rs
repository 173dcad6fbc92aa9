//! Whether a Pod fits on a node, and the words for it when it fits on none. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerPort, Node, Pod};
use toolforge_model::Quantity;

use super::affinity::{untolerated, wants};
use super::resources::{Amounts, Side, add, allocatable, of_pod};

/// Pods on a node when it does not say how many it takes: kubelet's default.
const DEFAULT_PODS: i64 = 110;

/// A node and the Pods that are on it or on their way to it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The node.
    pub(crate) node: Arc<Node>,
    /// Its Pods that have not ended.
    pub(crate) pods: Vec<Arc<Pod>>,
}

/// Where the Pod goes, or why nowhere.
pub(crate) fn choose<'a>(pod: &Pod, places: &'a [Place]) -> Result<&'a Node, String> {
    if places.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting = Vec::new();
    for place in places {
        let against = objections(pod, place);
        if against.is_empty() {
            fitting.push(place);
        }
        for reason in against {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    // The emptiest node, by name where several are: enough to spread, and the same choice every time.
    let best = fitting
        .into_iter()
        .min_by_key(|place| (place.pods.len(), place.node.metadata.name.clone()));
    best.map(|place| &*place.node).ok_or_else(|| {
        let parts: Vec<String> = reasons
            .into_iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        format!("0/{} nodes are available: {}.", places.len(), parts.join(", "))
    })
}

fn objections(pod: &Pod, place: &Place) -> Vec<String> {
    let node = &place.node;
    if node
        .spec
        .as_ref()
        .and_then(|spec| spec.unschedulable)
        .unwrap_or(false)
    {
        return vec!["node(s) were unschedulable".to_owned()];
    }
    if !is_ready(node) {
        return vec!["node(s) were not ready".to_owned()];
    }
    if let Some(taint) = untolerated(pod, node) {
        let value = taint.value.as_deref().unwrap_or_default();
        return vec![format!(
            "node(s) had untolerated taint {{{}: {value}}}",
            taint.key
        )];
    }
    if !wants(pod, node) {
        return vec!["node(s) didn't match Pod's node affinity/selector".to_owned()];
    }
    let ports = host_ports(pod);
    if place
        .pods
        .iter()
        .flat_map(|other| host_ports(other))
        .any(|taken| ports.contains(&taken))
    {
        return vec!["node(s) didn't have free ports for the requested pod ports".to_owned()];
    }
    shortages(pod, place)
}

fn shortages(pod: &Pod, place: &Place) -> Vec<String> {
    let room = allocatable(&place.node);
    let mut used = Amounts::new();
    for other in &place.pods {
        add(&mut used, &of_pod(other, Side::Requests));
    }
    let mut shortages = Vec::new();
    let most_pods = room
        .get("pods")
        .copied()
        .unwrap_or_else(|| Quantity::from_units(DEFAULT_PODS));
    let pods = i64::try_from(place.pods.len()).unwrap_or(i64::MAX);
    if Quantity::from_units(pods) >= most_pods {
        shortages.push("Too many pods".to_owned());
    }
    for (name, wanted) in of_pod(pod, Side::Requests) {
        if wanted.is_zero() {
            continue;
        }
        let taken = used.get(&name).copied().unwrap_or_default() + wanted;
        if taken > room.get(&name).copied().unwrap_or_default() {
            shortages.push(format!("Insufficient {name}"));
        }
    }
    shortages
}

fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn host_ports(pod: &Pod) -> Vec<(String, i32)> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.as_deref().unwrap_or_default());
    let bound = |port: &ContainerPort| {
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        Some((protocol, port.host_port.filter(|number| *number > 0)?))
    };
    ports.filter_map(bound).collect()
}

#[cfg(test)]
mod tests;
