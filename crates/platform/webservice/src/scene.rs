//! What the cluster says of a webservice at one moment. Pure: shells fill it, `diagnosis`, `report` and `chain`
//! judge it.
//!
//! Pods belong to a webservice because its Deployment's `ReplicaSet`s own them, not because of their labels: so
//! that those of an older `webservice`, whose labels were others, are seen too.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Container, ContainerStatus, Event, Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::ResourceExt as _;
use toolforge_model::labels;

use crate::objects::CONTAINER;

/// Where a controller notes which of the `ReplicaSet`s is the current one.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Everything that a verdict depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scene {
    pub(crate) deployment: Option<Deployment>,
    pub(crate) replica_sets: Vec<ReplicaSet>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) events: Vec<Event>,
}

/// Who serves while the newest version does not come up as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serving {
    Nobody,
    /// The version before.
    Older,
    /// The newest, but not as many Pods as are wanted.
    Fewer,
}

/// When a scene is looked at, and for how long somebody has been looking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    /// None for a single look, for which all patience is over.
    pub(crate) followed: Option<Duration>,
    /// How long ago a Pod went while somebody was looking.
    pub(crate) gone: Option<Duration>,
}

impl Moment {
    /// A single look.
    pub(crate) fn now() -> Self {
        Self {
            now: Timestamp::now(),
            followed: None,
            gone: None,
        }
    }

    /// How long something has been so that has been so since then. No longer than somebody has been looking: the
    /// cluster's clock may be another than ours.
    pub(crate) fn since(&self, then: Option<&Time>) -> Duration {
        let passed = then.map_or(Duration::MAX, |then| {
            Duration::try_from(self.now.duration_since(then.0)).unwrap_or_default()
        });
        self.followed.map_or(passed, |followed| passed.min(followed))
    }
}

impl Scene {
    /// How many Pods are wanted.
    pub(crate) fn wanted(&self) -> i32 {
        self.deployment
            .as_ref()
            .map_or(0, |own| own.spec.replicas.unwrap_or(1))
    }

    /// How many Pods serve, of whatever version.
    pub(crate) fn ready(&self) -> i32 {
        let ready = self.own_pods().filter(|pod| is_ready(pod)).count();
        i32::try_from(ready).unwrap_or(i32::MAX)
    }

    /// The `ReplicaSet` of the newest version; none while the controller has not taken that in.
    pub(crate) fn newest_set(&self) -> Option<&ReplicaSet> {
        let deployment = self.deployment.as_ref()?;
        let observed = deployment.status.as_ref()?.observed_generation;
        if observed < deployment.metadata.generation {
            return None;
        }
        let revision = deployment.annotations().get(REVISION);
        // What a status says and which revision is the current one may be told one after the other.
        let started = started_at(Some(&deployment.spec.template));
        self.own_sets().find(|set| {
            let template = set.spec.template.as_ref();
            set.annotations().get(REVISION) == revision && started_at(template) == started
        })
    }

    /// Pods of the newest version that are not on their way out.
    pub(crate) fn newest_pods(&self) -> Vec<&Pod> {
        let newest = self.newest_set().and_then(|set| set.metadata.uid.as_deref());
        self.own_pods()
            .filter(|pod| newest.is_some() && owner(&pod.metadata) == newest && !is_going(pod))
            .collect()
    }

    /// Pods of versions before, also those on their way out.
    pub(crate) fn older_pods(&self) -> Vec<&Pod> {
        let newest = self.newest_set().and_then(|set| set.metadata.uid.as_deref());
        self.own_pods()
            .filter(|pod| owner(&pod.metadata) != newest || is_going(pod))
            .collect()
    }

    /// Who serves while the newest version does not come up as it should.
    pub(crate) fn serving(&self) -> Serving {
        if self.older_pods().iter().any(|pod| is_ready(pod)) {
            Serving::Older
        } else if self.ready() > 0 {
            Serving::Fewer
        } else {
            Serving::Nobody
        }
    }

    /// All Pods of the webservice.
    pub(crate) fn own_pods(&self) -> impl Iterator<Item = &Pod> {
        let sets: BTreeSet<&str> = self
            .own_sets()
            .filter_map(|set| set.metadata.uid.as_deref())
            .collect();
        self.pods
            .iter()
            .filter(move |pod| owner(&pod.metadata).is_some_and(|uid| sets.contains(uid)))
    }

    fn own_sets(&self) -> impl Iterator<Item = &ReplicaSet> {
        let uid = self
            .deployment
            .as_ref()
            .and_then(|own| own.metadata.uid.as_deref());
        self.replica_sets
            .iter()
            .filter(move |set| uid.is_some() && owner(&set.metadata) == uid)
    }

    /// The events about an object, the latest last.
    pub(crate) fn events_of(&self, meta: &ObjectMeta) -> Vec<&Event> {
        let mut about: Vec<&Event> = self
            .events
            .iter()
            .filter(|event| meta.uid.is_some() && event.involved_object.uid == meta.uid)
            .collect();
        about.sort_by_key(|event| event_time(event));
        about
    }
}

/// When the Pods of a template were asked for.
fn started_at(template: Option<&PodTemplateSpec>) -> Option<&String> {
    let annotations = template?.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(labels::STARTED_AT)
}

/// When an event was told last.
pub(crate) fn event_time(event: &Event) -> Option<Timestamp> {
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    last.or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

/// The uid of the controller that owns an object.
fn owner(meta: &ObjectMeta) -> Option<&str> {
    let owners = meta.owner_references.as_ref()?;
    let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
    Some(&owner.uid)
}

/// Whether a Pod is on its way out.
pub(crate) fn is_going(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether a Pod serves.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    !is_going(pod)
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// What a Pod's webservice container is to be. Those of others may have another name; then it is the first.
pub(crate) fn container(pod: &Pod) -> Option<&Container> {
    let containers = &pod.spec.as_ref()?.containers;
    let own = containers.iter().find(|container| container.name == CONTAINER);
    own.or_else(|| containers.first())
}

/// How a Pod's webservice container is.
pub(crate) fn container_status(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let own = statuses.iter().find(|status| status.name == CONTAINER);
    own.or_else(|| statuses.first())
}
