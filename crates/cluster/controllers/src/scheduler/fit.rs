//! Whether a Pod fits on a node, and the words for it when it fits on none. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use toolforge_model::Quantity;

use super::affinity::{untolerated, wants};
use super::ledger::{Need, Usage};
use super::resources::allocatable;
use crate::pod::Pod;

/// Pods on a node when it does not say how many it takes: kubelet's default.
const DEFAULT_PODS: i64 = 110;

/// A node, and what the Pods that are on it or on their way to it take up.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The node.
    pub(crate) node: Arc<Node>,
    /// What its Pods that have not ended take up.
    pub(crate) used: Usage,
}

/// Where the Pod goes, or why nowhere.
pub(crate) fn choose<'a>(pod: &Pod, places: &'a [Place]) -> Result<&'a Node, String> {
    if places.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let need = Need::of(pod);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting = Vec::new();
    for place in places {
        let against = objections(pod, &need, place);
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
        .min_by_key(|place| (place.used.pods, place.node.metadata.name.clone()));
    best.map(|place| &*place.node).ok_or_else(|| {
        let parts: Vec<String> = reasons
            .into_iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        format!("0/{} nodes are available: {}.", places.len(), parts.join(", "))
    })
}

fn objections(pod: &Pod, need: &Need, place: &Place) -> Vec<String> {
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
    if need.ports.iter().any(|port| place.used.has_port(port)) {
        return vec!["node(s) didn't have free ports for the requested pod ports".to_owned()];
    }
    shortages(need, place)
}

fn shortages(need: &Need, place: &Place) -> Vec<String> {
    let room = allocatable(&place.node);
    let mut shortages = Vec::new();
    let most_pods = room
        .get("pods")
        .copied()
        .unwrap_or_else(|| Quantity::from_units(DEFAULT_PODS));
    let pods = i64::try_from(place.used.pods).unwrap_or(i64::MAX);
    if Quantity::from_units(pods) >= most_pods {
        shortages.push("Too many pods".to_owned());
    }
    for (name, wanted) in need.amounts.iter() {
        if wanted.is_zero() {
            continue;
        }
        let taken = place.used.amounts.get(name).copied().unwrap_or_default() + *wanted;
        if taken > room.get(name).copied().unwrap_or_default() {
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

#[cfg(test)]
mod tests;
