//! What a Deployment needs next: the `ReplicaSets` to make, change and delete, and its status. Pure; `controller.rs`
//! carries it out. One step at a time: the answers to a step's writes bring the Deployment back at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};

use super::{replica_sets, rolling, scaling, status};
use crate::object::Object;
use crate::owner::is_dying;
use crate::pod::Pod;
use crate::pods;

/// What is known when planning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    /// The Deployment.
    pub(crate) deployment: &'a Deployment,
    /// The `ReplicaSets` that it controls.
    pub(crate) sets: &'a [Arc<ReplicaSet>],
    /// All Pods of its namespace.
    pub(crate) pods: &'a [Arc<Pod>],
    /// The time.
    pub(crate) now: Timestamp,
}

/// One change to the world.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Make this `ReplicaSet`.
    Create(Box<ReplicaSet>),
    /// Change one that is there.
    Change(Change),
    /// Delete one that history no longer keeps.
    Delete(Arc<ReplicaSet>),
    /// Write the revision into the Deployment's annotations.
    SetRevision(i64),
}

/// A change to a `ReplicaSet`; empty parts stay as they are.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The `ReplicaSet` as it was read.
    pub(crate) set: Arc<ReplicaSet>,
    /// The new number of replicas.
    pub(crate) replicas: Option<i32>,
    /// Annotations to write.
    pub(crate) annotations: BTreeMap<String, String>,
    /// The new `minReadySeconds`.
    pub(crate) min_ready_seconds: Option<i32>,
}

/// What to do, and what to say about it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The changes, in order.
    pub(crate) actions: Vec<Action>,
    /// The status to write, if it differs.
    pub(crate) status: DeploymentStatus,
    /// When to look again though nothing changes.
    pub(crate) again: Option<Duration>,
}

/// Plans the next step.
pub(crate) fn plan(observed: Observed<'_>) -> Plan {
    let deployment = observed.deployment;
    let (new, old) = replica_sets::split(deployment, observed.sets);
    let actions = if is_dying(&deployment.metadata) {
        Vec::new()
    } else {
        next_step(observed, new, &old)
    };
    let (status, again) = status::desired_status(observed, new, &old, &actions);
    Plan {
        actions,
        status,
        again,
    }
}

fn next_step(observed: Observed<'_>, new: Option<&Arc<ReplicaSet>>, old: &[&Arc<ReplicaSet>]) -> Vec<Action> {
    let deployment = observed.deployment;
    if is_paused(deployment) {
        let mut actions = scaling::scale(deployment, new, old);
        if actions.is_empty() {
            actions = replica_sets::clean_up(deployment, old);
        }
        return actions;
    }
    if scaling::is_scaling(deployment, observed.sets) {
        let actions = scaling::scale(deployment, new, old);
        if !actions.is_empty() {
            return actions;
        }
    }
    let mut actions = replica_sets::sync_revision(deployment, new, old);
    if is_recreate(deployment) {
        actions.extend(recreate(observed, new, old));
    } else {
        actions.extend(rolling::step(deployment, new, old));
    }
    if actions.is_empty() && status::is_complete(deployment, &status::counts(deployment, new, old)) {
        actions = replica_sets::clean_up(deployment, old);
    }
    actions
}

fn recreate(observed: Observed<'_>, new: Option<&Arc<ReplicaSet>>, old: &[&Arc<ReplicaSet>]) -> Vec<Action> {
    let down: Vec<Action> = old
        .iter()
        .filter(|set| replica_sets::wanted(set) > 0)
        .map(|set| replica_sets::scaled(observed.deployment, set, 0))
        .collect();
    if !down.is_empty() {
        return down;
    }
    let still_there = |set: &&Arc<ReplicaSet>| {
        let uid = set.metadata.uid.as_deref().unwrap_or_default();
        observed
            .pods
            .iter()
            .any(|pod| pod.controller_uid() == Some(uid) && !pods::is_finished(pod))
    };
    if old.iter().any(still_there) {
        return Vec::new();
    }
    let replicas = wanted_replicas(observed.deployment);
    match new {
        None => vec![replica_sets::created(observed.deployment, old, replicas)],
        Some(set) if replica_sets::wanted(set) != replicas => {
            vec![replica_sets::scaled(observed.deployment, set, replicas)]
        }
        Some(_) => Vec::new(),
    }
}

/// `spec.replicas`, 1 by default.
pub(crate) fn wanted_replicas(deployment: &Deployment) -> i32 {
    deployment.spec.replicas.unwrap_or(1).max(0)
}

/// Whether the rollout is paused.
pub(crate) fn is_paused(deployment: &Deployment) -> bool {
    deployment.spec.paused.unwrap_or(false)
}

/// Whether old Pods have to be gone before new ones come.
pub(crate) fn is_recreate(deployment: &Deployment) -> bool {
    deployment
        .spec
        .strategy
        .as_ref()
        .and_then(|strategy| strategy.type_.as_deref())
        == Some("Recreate")
}
