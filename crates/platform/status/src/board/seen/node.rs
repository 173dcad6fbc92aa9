//! Nodes.

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Node, apimachinery::pkg::apis::meta::v1::Time};
use serde::Serialize;
use toolforge_model::Quantity;

use super::Meta;

/// The label by which a node says what it is for: the rest of its key is a role.
const ROLE: &str = "node-role.kubernetes.io/";

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeSeen {
    #[serde(flatten)]
    pub(crate) meta: Meta,
    pub(crate) ready: bool,
    /// New Pods are kept off it.
    pub(crate) cordoned: bool,
    pub(crate) role: String,
    pub(crate) kubelet_version: String,
    pub(crate) cpu_millis: i64,
    pub(crate) memory_bytes: i64,
    pub(crate) pods: i64,
    pub(crate) addresses: Vec<(String, String)>,
    pub(crate) taints: Vec<String>,
    /// Newest change first.
    pub(crate) conditions: Vec<ConditionSeen>,
}

/// What is said about a node or Pod, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConditionSeen {
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) since: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl ConditionSeen {
    /// What the API says, with nothing where it says nothing.
    pub(super) fn of(
        kind: String,
        status: String,
        since: Option<Time>,
        reason: Option<String>,
        message: Option<String>,
    ) -> Self {
        Self {
            kind,
            status,
            since: since.map(|time| time.0),
            reason: reason.unwrap_or_default(),
            message: message.unwrap_or_default(),
        }
    }
}

impl From<Node> for NodeSeen {
    fn from(node: Node) -> Self {
        let status = node.status.unwrap_or_default();
        let spec = node.spec.unwrap_or_default();
        let meta = Meta::from(node.metadata);
        let mut conditions: Vec<ConditionSeen> = status
            .conditions
            .unwrap_or_default()
            .into_iter()
            .map(|said| {
                ConditionSeen::of(
                    said.type_,
                    said.status,
                    said.last_transition_time,
                    said.reason,
                    said.message,
                )
            })
            .collect();
        conditions.sort_by_key(|condition| std::cmp::Reverse(condition.since));
        let allocatable = status.allocatable.unwrap_or_default();
        let amount = |name: &str| {
            let text = allocatable.get(name).map(|quantity| quantity.0.as_str());
            text.and_then(|text| text.parse::<Quantity>().ok())
                .unwrap_or(Quantity::ZERO)
        };
        Self {
            ready: conditions
                .iter()
                .any(|condition| condition.kind == "Ready" && condition.status == "True"),
            cordoned: spec.unschedulable.unwrap_or(false),
            role: role(&meta),
            kubelet_version: status
                .node_info
                .map(|info| info.kubelet_version)
                .unwrap_or_default(),
            cpu_millis: millis(amount("cpu")),
            memory_bytes: units(amount("memory")),
            pods: units(amount("pods")),
            addresses: status
                .addresses
                .unwrap_or_default()
                .into_iter()
                .map(|address| (address.type_, address.address))
                .collect(),
            taints: spec
                .taints
                .unwrap_or_default()
                .into_iter()
                .map(|taint| match taint.value {
                    Some(value) => format!("{}={value}:{}", taint.key, taint.effect),
                    None => format!("{}:{}", taint.key, taint.effect),
                })
                .collect(),
            conditions,
            meta,
        }
    }
}

/// Control, worker, or what else the node's labels say; the original went by its name, which stays as the last resort.
fn role(meta: &Meta) -> String {
    let roles: Vec<&str> = meta
        .labels
        .iter()
        .map(|(label, _)| label)
        .filter_map(|key| key.strip_prefix(ROLE))
        .collect();
    match roles.as_slice() {
        [] if meta.name.contains("-control-") => "control".to_owned(),
        [] => "worker".to_owned(),
        roles
            if roles
                .iter()
                .any(|role| matches!(*role, "control-plane" | "master")) =>
        {
            "control".to_owned()
        }
        roles => roles.join(", "),
    }
}

/// Thousandths of a CPU, rounded down.
pub(super) fn millis(quantity: Quantity) -> i64 {
    i64::try_from(quantity.nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Bytes, or whatever is counted, rounded down.
pub(super) fn units(quantity: Quantity) -> i64 {
    i64::try_from(quantity.nanos() / 1_000_000_000).unwrap_or(i64::MAX)
}
