//! What is known of nodes and Pods at this moment: filled by watches and scrapes, read by requests.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{Node, Pod};
use parking_lot::RwLock;

use crate::own::Looks;
use crate::usage::NodeUsage;

/// Namespace and name.
pub(crate) type Place = (String, String);

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Those that run.
    pub(crate) pods: RwLock<BTreeMap<Place, PodSeen>>,
    /// Labels, by name.
    pub(crate) nodes: RwLock<BTreeMap<String, BTreeMap<String, String>>>,
    /// What was scraped, by node.
    pub(crate) usage: RwLock<HashMap<String, NodeUsage>>,
    /// How looks at nodes ended.
    pub(crate) looks: Looks,
}

/// A Pod that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodSeen {
    pub(crate) node: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// When its containers started, as they say: another text is a new container.
    pub(crate) starts: Vec<String>,
}

impl PodSeen {
    /// Reads a Pod; none when it does not run.
    pub(crate) fn of(pod: &Pod) -> Option<Self> {
        let status = pod.status.as_ref()?;
        let runs = status.phase.as_deref() == Some("Running");
        let containers = status.container_statuses.iter().flatten();
        let starts = containers.filter_map(|container| {
            let running = container.state.as_ref()?.running.as_ref()?;
            let id = container.container_id.as_deref().unwrap_or_default();
            Some(format!("{id} {:?}", running.started_at))
        });
        let starts = starts.collect();
        let node = pod.spec.as_ref()?.node_name.clone()?;
        runs.then(|| Self {
            node,
            labels: pod.metadata.labels.clone().unwrap_or_default(),
            starts,
        })
    }
}

/// Where an object is.
pub(crate) fn place(pod: &Pod) -> Place {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    (text(&pod.metadata.namespace), text(&pod.metadata.name))
}

/// Name and labels of a node.
pub(crate) fn node(node: &Node) -> (String, BTreeMap<String, String>) {
    (
        node.metadata.name.clone().unwrap_or_default(),
        node.metadata.labels.clone().unwrap_or_default(),
    )
}
