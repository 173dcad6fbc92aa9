//! The status of a Deployment: counts and the conditions Available, Progressing and `ReplicaFailure`. Pure; called by the
//! plan. Reasons and messages are those of Kubernetes, which `kubectl rollout status` and people read.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::plan::{Action, Observed, is_paused, wanted_replicas};
use super::replica_sets::{available, wanted};
use super::rolling::max_unavailable;

const COMPLETE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
/// A `progressDeadlineSeconds` that means "no deadline".
const NO_DEADLINE: i32 = i32::MAX;
/// The deadline when the Deployment does not say.
const DEFAULT_DEADLINE_SECONDS: i32 = 600;

/// The status to be, and when it has to be looked at again.
pub(crate) fn desired_status(
    observed: Observed<'_>,
    new: Option<&Arc<ReplicaSet>>,
    old: &[&Arc<ReplicaSet>],
    actions: &[Action],
) -> (DeploymentStatus, Option<Duration>) {
    let deployment = observed.deployment;
    let mut status = counts(deployment, new, old);
    let mut conditions = Conditions {
        list: deployment
            .status
            .as_ref()
            .and_then(|status| status.conditions.clone())
            .unwrap_or_default(),
        now: observed.now,
    };
    set_available(deployment, &status, &mut conditions);
    match failure(new, old) {
        Some(failure) => conditions.set("ReplicaFailure", "True", &failure.0, &failure.1),
        None => conditions
            .list
            .retain(|condition| condition.type_.as_deref() != Some("ReplicaFailure")),
    }
    let again = set_progressing(deployment, &status, new, actions, &mut conditions);
    status.conditions = Some(conditions.list);
    (status, again)
}

/// The status without conditions.
pub(crate) fn counts(
    deployment: &Deployment,
    new: Option<&Arc<ReplicaSet>>,
    old: &[&Arc<ReplicaSet>],
) -> DeploymentStatus {
    let sets = || new.into_iter().chain(old.iter().copied());
    let sum = |count: fn(&ReplicaSet) -> i32| sets().map(|set| count(set)).sum::<i32>();
    let replicas = |set: &ReplicaSet| set.status.as_ref().map_or(0, |status| status.replicas);
    let ready = |set: &ReplicaSet| {
        set.status
            .as_ref()
            .and_then(|status| status.ready_replicas)
            .unwrap_or(0)
    };
    let terminating = |set: &ReplicaSet| {
        set.status
            .as_ref()
            .and_then(|status| status.terminating_replicas)
            .unwrap_or(0)
    };
    let available = sum(available);
    DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: some(sum(replicas)),
        updated_replicas: some(new.map_or(0, |set| replicas(set))),
        ready_replicas: some(sum(ready)),
        available_replicas: some(available),
        unavailable_replicas: some((sum(wanted) - available).max(0)),
        terminating_replicas: Some(sum(terminating)),
        collision_count: deployment
            .status
            .as_ref()
            .and_then(|status| status.collision_count),
        conditions: None,
    }
}

/// Whether everything is as the Deployment wants it.
pub(crate) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let target = some(wanted_replicas(deployment));
    status.updated_replicas == target && status.replicas == target && status.available_replicas == target
}

/// Zero is not written, as in Kubernetes.
fn some(count: i32) -> Option<i32> {
    Some(count).filter(|count| *count != 0)
}

fn set_available(deployment: &Deployment, status: &DeploymentStatus, conditions: &mut Conditions) {
    let needed = wanted_replicas(deployment) - max_unavailable(deployment);
    if status.available_replicas.unwrap_or(0) >= needed {
        conditions.set(
            "Available",
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        );
    } else {
        let message = "Deployment does not have minimum availability.";
        conditions.set("Available", "False", "MinimumReplicasUnavailable", message);
    }
}

/// Reason and message of the refusal that keeps a `ReplicaSet` from its Pods, the new one's first.
fn failure(new: Option<&Arc<ReplicaSet>>, old: &[&Arc<ReplicaSet>]) -> Option<(String, String)> {
    new.into_iter().chain(old.iter().copied()).find_map(|set| {
        let conditions = set.status.as_ref()?.conditions.as_deref()?;
        let failure = conditions
            .iter()
            .find(|condition| condition.type_.as_deref() == Some("ReplicaFailure"))?;
        Some((
            failure.reason.clone().unwrap_or_default(),
            failure.message.clone().unwrap_or_default(),
        ))
    })
}

fn set_progressing(
    deployment: &Deployment,
    status: &DeploymentStatus,
    new: Option<&Arc<ReplicaSet>>,
    actions: &[Action],
    conditions: &mut Conditions,
) -> Option<Duration> {
    let deadline = deployment
        .spec
        .progress_deadline_seconds
        .unwrap_or(DEFAULT_DEADLINE_SECONDS);
    if deadline == NO_DEADLINE {
        conditions
            .list
            .retain(|condition| condition.type_.as_deref() != Some("Progressing"));
        return None;
    }
    let reason = conditions
        .get("Progressing")
        .and_then(|condition| condition.reason.clone())
        .unwrap_or_default();
    if is_paused(deployment) {
        if reason != TIMED_OUT && reason != "DeploymentPaused" {
            conditions.set(
                "Progressing",
                "Unknown",
                "DeploymentPaused",
                "Deployment is paused",
            );
        }
        return None;
    }
    if reason == "DeploymentPaused" {
        conditions.set(
            "Progressing",
            "Unknown",
            "DeploymentResumed",
            "Deployment is resumed",
        );
    }
    if let Some(made) = actions.iter().find_map(name_of_created) {
        conditions.refresh(
            "Progressing",
            "True",
            "NewReplicaSetCreated",
            &format!("Created new replica set \"{made}\""),
        );
        return Some(seconds(deadline));
    }
    let name = match new {
        Some(set) => format!(
            "ReplicaSet \"{}\"",
            set.metadata.name.as_deref().unwrap_or_default()
        ),
        None => format!(
            "Deployment \"{}\"",
            deployment.metadata.name.as_deref().unwrap_or_default()
        ),
    };
    if reason == COMPLETE && status.replicas == status.updated_replicas {
        // A finished rollout stays finished when a Pod fails later.
        return None;
    }
    if is_complete(deployment, status) {
        conditions.set(
            "Progressing",
            "True",
            COMPLETE,
            &format!("{name} has successfully progressed."),
        );
        return None;
    }
    if is_progressing(deployment, status)
        || reason.is_empty()
        || reason == "DeploymentResumed"
        || reason == COMPLETE
    {
        conditions.refresh(
            "Progressing",
            "True",
            "ReplicaSetUpdated",
            &format!("{name} is progressing."),
        );
        return Some(seconds(deadline));
    }
    let since = conditions
        .get("Progressing")
        .and_then(|condition| condition.last_update_time.as_ref());
    let since = since.map_or(conditions.now, |time| time.0);
    let left = SignedDuration::from_secs(i64::from(deadline)) - conditions.now.duration_since(since);
    if let Ok(left) = Duration::try_from(left).map(|left| left + Duration::from_millis(1))
        && reason != TIMED_OUT
        && left > Duration::from_millis(1)
    {
        return Some(left);
    }
    conditions.set(
        "Progressing",
        "False",
        TIMED_OUT,
        &format!("{name} has timed out progressing."),
    );
    None
}

fn name_of_created(action: &Action) -> Option<&str> {
    match action {
        Action::Create(set) => set.metadata.name.as_deref(),
        _ => None,
    }
}

fn is_progressing(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let before = deployment.status.clone().unwrap_or_default();
    let old = |status: &DeploymentStatus| status.replicas.unwrap_or(0) - status.updated_replicas.unwrap_or(0);
    status.updated_replicas > before.updated_replicas
        || old(status) < old(&before)
        || status.ready_replicas > before.ready_replicas
        || status.available_replicas > before.available_replicas
}

fn seconds(seconds: i32) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

struct Conditions {
    list: Vec<DeploymentCondition>,
    now: Timestamp,
}

impl Conditions {
    fn get(&self, kind: &str) -> Option<&DeploymentCondition> {
        self.list
            .iter()
            .find(|condition| condition.type_.as_deref() == Some(kind))
    }

    /// Sets a condition; one with the same status, reason and message stays untouched.
    fn set(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let same = self.get(kind).is_some_and(|known| {
            known.status.as_deref() == Some(status)
                && known.reason.as_deref() == Some(reason)
                && known.message.as_deref() == Some(message)
        });
        if !same {
            self.refresh(kind, status, reason, message);
        }
    }

    /// Sets a condition and its time of update; the time of transition only when the status changes.
    fn refresh(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let before = self
            .get(kind)
            .filter(|known| known.status.as_deref() == Some(status));
        let since = before
            .and_then(|known| known.last_transition_time.clone())
            .unwrap_or(Time(self.now));
        let condition = DeploymentCondition {
            type_: Some(kind.to_owned()),
            status: Some(status.to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_update_time: Some(Time(self.now)),
            last_transition_time: Some(since),
        };
        match self
            .list
            .iter_mut()
            .find(|known| known.type_.as_deref() == Some(kind))
        {
            Some(known) => *known = condition,
            None => self.list.push(condition),
        }
    }
}
