//! All that is known of the cluster, kept by `follow`, read by the pages.

use std::collections::{BTreeMap, HashMap};

use crate::board::seen::{
    EventSeen, IngressSeen, NamespaceSeen, NodeSeen, PodSeen, QuotaSeen, ServiceSeen, WorkloadKind,
    WorkloadSeen,
};
use crate::board::{
    follow::KINDS,
    glance::{Glance, Glances},
    load::Load,
    traffic::Traffic,
    usage::{Amount, Usage},
};

/// The objects of one kind: by namespace (empty for those that have none), then by name.
pub(crate) type Shelf<T> = BTreeMap<String, BTreeMap<String, T>>;

/// The cluster.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) namespaces: Shelf<NamespaceSeen>,
    pub(crate) nodes: Shelf<NodeSeen>,
    pub(crate) pods: Shelf<PodSeen>,
    pub(crate) services: Shelf<ServiceSeen>,
    pub(crate) ingresses: Shelf<IngressSeen>,
    pub(crate) quotas: Shelf<QuotaSeen>,
    pub(crate) events: Shelf<EventSeen>,
    pub(crate) deployments: Shelf<WorkloadSeen>,
    pub(crate) replica_sets: Shelf<WorkloadSeen>,
    pub(crate) stateful_sets: Shelf<WorkloadSeen>,
    pub(crate) daemon_sets: Shelf<WorkloadSeen>,
    pub(crate) jobs: Shelf<WorkloadSeen>,
    pub(crate) cron_jobs: Shelf<WorkloadSeen>,
    pub(crate) usage: Usage,
    pub(crate) load: Load,
    pub(crate) traffic: Traffic,
    /// Version of the cluster, when it has told it.
    pub(crate) version: Option<String>,
    /// Kinds that have been read whole at least once.
    pub(crate) read: Vec<&'static str>,
    glances: Glances,
    /// How often something changed: anywhere, in a whole kind, and in each namespace.
    revision: u64,
    whole_revision: u64,
    revisions: HashMap<String, u64>,
}

/// Where something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// Among the objects of a namespace; among those that have none where its name is empty.
    Namespace(&'a str),
    /// Among the objects of a kind, all of which were read anew.
    Kind,
    /// Among what is measured, which no namespace is judged by.
    Figures,
}

impl World {
    /// Takes in that something is different.
    pub(crate) fn changed(&mut self, place: Place<'_>) -> u64 {
        self.revision += 1;
        match place {
            Place::Namespace(namespace) => {
                self.revisions.insert(namespace.to_owned(), self.revision);
                let mut glances = std::mem::take(&mut self.glances);
                glances.renew(self, namespace);
                self.glances = glances;
            }
            Place::Kind => {
                self.whole_revision = self.revision;
                self.glances = Glances::all(self);
            }
            Place::Figures => {}
        }
        self.revision
    }

    /// Whether all of it has been read once.
    pub(crate) fn is_filled(&self) -> bool {
        self.read.len() >= KINDS && self.version.is_some()
    }

    /// The last change, in one namespace or anywhere.
    pub(crate) fn revision(&self, namespace: Option<&str>) -> u64 {
        match namespace {
            Some(namespace) => {
                let own = self.revisions.get(namespace).copied().unwrap_or(0);
                own.max(self.whole_revision)
            }
            None => self.revision,
        }
    }

    /// A namespace at a glance.
    pub(crate) fn glance(&self, namespace: &str) -> &Glance {
        self.glances.of(namespace)
    }

    /// What makes Pods in a namespace, by kind and name; past `ReplicaSets` that nobody wants Pods of are left out.
    pub(crate) fn workloads<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a WorkloadSeen> {
        [
            &self.deployments,
            &self.stateful_sets,
            &self.daemon_sets,
            &self.replica_sets,
            &self.cron_jobs,
            &self.jobs,
        ]
        .into_iter()
        .flat_map(move |shelf| on(shelf, namespace))
        .filter(|workload| workload.kind != WorkloadKind::ReplicaSet || workload.wanted > 0)
    }

    /// Nodes, by name.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &NodeSeen> {
        on(&self.nodes, "")
    }

    /// The nodes that run tools (facts section 10); all where every one is of the control plane.
    pub(crate) fn workers(&self) -> Vec<&NodeSeen> {
        let workers: Vec<_> = self.nodes().filter(|node| node.role != "control").collect();
        if workers.is_empty() {
            self.nodes().collect()
        } else {
            workers
        }
    }

    /// What of them is in use, where any of them is measured.
    pub(crate) fn in_use(&self) -> Option<Amount> {
        let workers = self.workers().into_iter();
        workers
            .filter_map(|node| self.usage.of_node(&node.meta.name))
            .reduce(|one, other| Amount {
                cpu_millis: one.cpu_millis.saturating_add(other.cpu_millis),
                memory_bytes: one.memory_bytes.saturating_add(other.memory_bytes),
            })
    }

    /// Namespaces, by name.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &NamespaceSeen> {
        on(&self.namespaces, "")
    }

    /// A namespace.
    pub(crate) fn namespace(&self, name: &str) -> Option<&NamespaceSeen> {
        self.namespaces.get("")?.get(name)
    }
}

/// The objects of one namespace.
pub(crate) fn on<'a, T>(shelf: &'a Shelf<T>, namespace: &str) -> impl Iterator<Item = &'a T> + use<'a, T> {
    shelf.get(namespace).into_iter().flat_map(BTreeMap::values)
}

/// All objects of a kind.
pub(crate) fn all<T>(shelf: &Shelf<T>) -> impl Iterator<Item = &T> {
    shelf.values().flat_map(BTreeMap::values)
}
