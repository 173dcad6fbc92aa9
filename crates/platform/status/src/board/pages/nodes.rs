//! Nodes: all of them, and one.

use std::collections::HashMap;

use askama::Template;
use serde::Serialize;

use super::{Frame, Seen};
use crate::board::{
    seen::{NodeSeen, PodSeen},
    text,
    world::all,
};

#[derive(Template, Serialize)]
#[template(path = "board/nodes.html", whitespace = "minimize")]
pub(super) struct Nodes<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    nodes: Vec<Row<'a>>,
}

/// A node in figures.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(flatten)]
    node: &'a NodeSeen,
    /// Pods on it that have not ended well.
    pods_there: usize,
    cpu_percent: Option<i64>,
    memory_percent: Option<i64>,
}

impl Row<'_> {
    fn state(&self) -> &'static str {
        match (self.node.ready, self.node.cordoned) {
            (true, false) => "ready",
            (true, true) => "ready, takes no new Pods",
            (false, _) => "not ready",
        }
    }

    fn cpu(&self) -> String {
        percent(self.cpu_percent)
    }

    fn memory(&self) -> String {
        percent(self.memory_percent)
    }
}

fn percent(percent: Option<i64>) -> String {
    percent.map_or_else(|| "unknown".to_owned(), |percent| format!("{percent}%"))
}

pub(super) fn nodes(seen: Seen<'_>) -> Nodes<'_> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for pod in all(&seen.world.pods).filter(|pod| stays(pod)) {
        *counts.entry(pod.node.as_str()).or_default() += 1;
    }
    let count = |node: &NodeSeen| counts.get(node.meta.name.as_str()).copied().unwrap_or(0);
    let mut nodes: Vec<Row<'_>> = seen
        .world
        .nodes()
        .map(|node| row(seen, node, count(node)))
        .collect();
    nodes.sort_by(|one, other| alphanumeric_sort::compare_str(&one.node.meta.name, &other.node.meta.name));
    Nodes {
        frame: Frame::new(seen, "Nodes", "nodes"),
        nodes,
    }
}

fn row<'a>(seen: Seen<'a>, node: &'a NodeSeen, pods_there: usize) -> Row<'a> {
    let used = seen.world.usage.of_node(&node.meta.name);
    let share = |used: Option<i64>, total: i64| used.filter(|_| total > 0).map(|used| used * 100 / total);
    Row {
        pods_there,
        cpu_percent: share(used.map(|used| used.cpu_millis), node.cpu_millis),
        memory_percent: share(used.map(|used| used.memory_bytes), node.memory_bytes),
        node,
    }
}

/// Pods that have ended well are not counted (facts section 10).
fn stays(pod: &PodSeen) -> bool {
    pod.phase != "Succeeded"
}

#[derive(Template, Serialize)]
#[template(path = "board/node.html", whitespace = "minimize")]
pub(super) struct Node<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    #[serde(flatten)]
    row: Row<'a>,
    #[serde(skip)]
    memory_text: String,
    #[serde(skip)]
    cpu_text: String,
    #[serde(skip)]
    pods: Vec<&'a PodSeen>,
    /// Their namespaces and names.
    #[serde(rename = "podNames")]
    pod_names: Vec<(&'a str, &'a str)>,
}

pub(super) fn node<'a>(seen: Seen<'a>, name: &str) -> Option<Node<'a>> {
    let node = seen.world.nodes.get("")?.get(name)?;
    let there = |pod: &&PodSeen| pod.node == name && stays(pod);
    let pods: Vec<&PodSeen> = all(&seen.world.pods).filter(there).collect();
    Some(Node {
        frame: Frame::new(seen, name, "nodes"),
        row: row(seen, node, pods.len()),
        memory_text: text::bytes(node.memory_bytes),
        cpu_text: text::cpus(node.cpu_millis),
        pod_names: pods
            .iter()
            .map(|pod| (pod.meta.namespace.as_str(), pod.meta.name.as_str()))
            .collect(),
        pods,
    })
}
