//! How a Pod is read: fields that no controller asks for are skipped, not made.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeAffinity, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::demands::{Demands, altogether};
use super::{Condition, Container, Deletion, End, Owner, Pairs, Placement, Pod, Port, Toleration};
use crate::cache::parse_version;
use crate::job::facts::{COMPLETION_INDEX, FAILURES, IGNORED_FAILURES};
use crate::pods::{DELETION_COST, SCHEDULED};
use crate::scheduler::resources::Side;
use crate::text::Text;

/// The annotations that controllers know.
const ANNOTATIONS: [&str; 4] = [DELETION_COST, COMPLETION_INDEX, FAILURES, IGNORED_FAILURES];

/// A Pod as the API writes it; a field may be absent or null.
#[derive(Deserialize)]
pub(super) struct Whole {
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    namespace: Option<Text>,
    name: Option<Box<str>>,
    uid: Option<Box<str>>,
    resource_version: Option<String>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<i64>,
    labels: Option<Pairs>,
    annotations: Option<Pairs>,
    finalizers: Option<Box<[Text]>>,
    owner_references: Option<Box<[Owner]>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: Option<Text>,
    scheduler_name: Option<Text>,
    scheduling_gates: Option<Vec<IgnoredAny>>,
    priority: Option<i32>,
    priority_class_name: Option<Text>,
    node_selector: Option<Pairs>,
    affinity: Option<Affinity>,
    tolerations: Option<Box<[Toleration]>>,
    active_deadline_seconds: Option<i64>,
    hostname: Option<Box<str>>,
    subdomain: Option<Box<str>>,
    overhead: Option<BTreeMap<String, Written>>,
    containers: Option<Vec<SpecContainer>>,
    init_containers: Option<Vec<SpecContainer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Affinity {
    node_affinity: Option<NodeAffinity>,
}

/// A container as it is wanted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpecContainer {
    ports: Option<Vec<SpecPort>>,
    pub(super) resources: Option<ResourceRequirements>,
    pub(super) restart_policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecPort {
    name: Option<Text>,
    protocol: Option<Text>,
    container_port: Option<i32>,
    host_port: Option<i32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<Text>,
    #[serde(rename = "podIP")]
    pod_ip: Option<Box<str>>,
    conditions: Option<Vec<StatusCondition>>,
    container_statuses: Option<Vec<StatusContainer>>,
    init_container_statuses: Option<Vec<StatusContainer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusCondition {
    #[serde(rename = "type")]
    kind: Option<Text>,
    status: Option<Text>,
    last_transition_time: Option<Time>,
    message: Option<Box<str>>,
}

/// A container as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusContainer {
    name: Option<Text>,
    restart_count: Option<i32>,
    state: Option<State>,
}

#[derive(Deserialize)]
struct State {
    terminated: Option<Terminated>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminated {
    exit_code: Option<i32>,
    finished_at: Option<Time>,
}

impl From<Whole> for Pod {
    fn from(whole: Whole) -> Self {
        let meta = whole.metadata.unwrap_or_default();
        let mut spec = whole.spec.unwrap_or_default();
        let mut status = whole.status.unwrap_or_default();
        let node = spec.node_name.take().filter(|node| !node.is_empty());
        Self {
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            written_at: parse_version(meta.resource_version.as_deref()),
            created: meta.creation_timestamp.map(|time| time.0),
            deletion: meta.deletion_timestamp.map(|time| {
                Box::new(Deletion {
                    at: time.0,
                    grace_seconds: meta.deletion_grace_period_seconds.unwrap_or(0),
                })
            }),
            labels: meta.labels.unwrap_or_default(),
            annotations: meta.annotations.unwrap_or_default().only(&ANNOTATIONS),
            finalizers: meta.finalizers.unwrap_or_default(),
            owners: meta.owner_references.unwrap_or_default(),
            requests: spec.demands(Side::Requests),
            limits: spec.demands(Side::Limits),
            ports: spec.ports(),
            placement: node.is_none().then(|| Box::new(spec.placement())),
            node,
            scheduled_message: status.take_message(SCHEDULED),
            hostname: spec.hostname,
            subdomain: spec.subdomain,
            priority_class: spec.priority_class_name,
            is_limited: spec.active_deadline_seconds.is_some(),
            phase: status.phase.unwrap_or_default(),
            address: status.pod_ip.filter(|address| !address.is_empty()),
            conditions: status
                .conditions
                .into_iter()
                .flatten()
                .map(Condition::from)
                .collect(),
            containers: containers(status.container_statuses, false)
                .chain(containers(status.init_container_statuses, true))
                .collect(),
        }
    }
}

impl Spec {
    fn demands(&self, side: Side) -> Demands {
        let containers = self.containers.as_deref().unwrap_or_default();
        let first = self.init_containers.as_deref().unwrap_or_default();
        altogether(containers, first, self.overhead.as_ref(), side)
    }

    fn ports(&mut self) -> Box<[Port]> {
        let containers = self.containers.iter_mut().flatten();
        let ports = containers.flat_map(|container| container.ports.take().unwrap_or_default());
        ports
            .map(Port::from)
            .filter(|port| port.name.is_some() || port.host.is_some())
            .collect()
    }

    fn placement(&mut self) -> Placement {
        let affinity = self.affinity.take().and_then(|affinity| affinity.node_affinity);
        Placement {
            scheduler: self.scheduler_name.take().unwrap_or_default(),
            is_gated: self
                .scheduling_gates
                .as_ref()
                .is_some_and(|gates| !gates.is_empty()),
            priority: self.priority.unwrap_or(0),
            node_selector: self.node_selector.take().unwrap_or_default(),
            required: affinity.and_then(|node| node.required_during_scheduling_ignored_during_execution),
            tolerations: self.tolerations.take().unwrap_or_default(),
        }
    }
}

impl Status {
    fn take_message(&mut self, kind: &str) -> Option<Box<str>> {
        let mut conditions = self.conditions.iter_mut().flatten();
        let found = conditions.find(|condition| condition.kind.as_deref() == Some(kind));
        found?.message.take()
    }
}

impl From<SpecPort> for Port {
    fn from(port: SpecPort) -> Self {
        Self {
            name: port.name,
            protocol: port.protocol.unwrap_or_else(|| "TCP".into()),
            number: port.container_port.unwrap_or(0),
            host: port.host_port.filter(|number| *number > 0),
        }
    }
}

impl From<StatusCondition> for Condition {
    fn from(condition: StatusCondition) -> Self {
        Self {
            status: condition.status.unwrap_or_default(),
            since: condition.last_transition_time.map(|time| time.0),
            kind: condition.kind.unwrap_or_default(),
        }
    }
}

fn containers(statuses: Option<Vec<StatusContainer>>, is_init: bool) -> impl Iterator<Item = Container> {
    let statuses = statuses.into_iter().flatten();
    statuses.map(move |status| Container {
        name: status.name.unwrap_or_default(),
        is_init,
        restarts: status.restart_count.unwrap_or(0),
        end: status.state.and_then(|state| state.terminated).map(|end| End {
            exit_code: end.exit_code.unwrap_or(0),
            at: end.finished_at.map(|time| time.0),
        }),
    })
}
