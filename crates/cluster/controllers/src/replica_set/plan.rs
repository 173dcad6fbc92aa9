//! What a `ReplicaSet` needs next: Pods to make, Pods to delete, and its status. Pure; `controller.rs` carries it out.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::object::Object;
use crate::owner::is_dying;
use crate::pod::Pod;
use crate::pods::{self, Availability, availability, is_active, is_ready, keeping_value};

/// Most Pods made or deleted in one go; the rest follow in the next round.
const MOST_AT_ONCE: usize = 500;

/// How the number of Pods has to change.
#[derive(Clone, Debug)]
pub(crate) enum Difference {
    /// As many as wanted.
    None,
    /// That many are missing.
    Create(usize),
    /// These are too many.
    Delete(Vec<Arc<Pod>>),
}

/// Plans for `set` with the Pods that it owns.
pub(crate) fn plan(set: &ReplicaSet, owned: &[Arc<Pod>]) -> Difference {
    if is_dying(&set.metadata) {
        return Difference::None;
    }
    let mut active: Vec<&Arc<Pod>> = owned.iter().filter(|pod| is_active(pod)).collect();
    let wanted = wanted_replicas(set);
    match wanted.checked_sub(active.len()) {
        Some(0) => Difference::None,
        Some(missing) => Difference::Create(missing.min(MOST_AT_ONCE)),
        None => {
            active.sort_by_cached_key(|pod| keeping_value(pod));
            let surplus = (active.len() - wanted).min(MOST_AT_ONCE);
            Difference::Delete(active.into_iter().take(surplus).cloned().collect())
        }
    }
}

/// Why Pods could not be made or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// `FailedCreate` or `FailedDelete`.
    pub(crate) reason: &'static str,
    /// What the API said.
    pub(crate) message: String,
}

/// The status to be with the Pods that it owns, and when a Pod becomes available though nothing changes.
pub(crate) fn desired_status(
    set: &ReplicaSet,
    owned: &[Arc<Pod>],
    trouble: Option<&Trouble>,
    now: Timestamp,
) -> (ReplicaSetStatus, Option<Duration>) {
    let spec = &set.spec;
    let labels = spec
        .template
        .as_ref()
        .and_then(|template| template.metadata.as_ref()?.labels.clone());
    let labels = labels.unwrap_or_default();
    let active: Vec<&Arc<Pod>> = owned.iter().filter(|pod| is_active(pod)).collect();
    let has_all = |pod: &Pod| labels.iter().all(|(name, value)| pod.label(name) == Some(value));
    let judged: Vec<Availability> = active
        .iter()
        .map(|pod| availability(pod, spec.min_ready_seconds.unwrap_or(0), now))
        .collect();
    let terminating = owned
        .iter()
        .filter(|pod| pod.is_dying() && !pods::is_finished(pod))
        .count();
    let again = judged
        .iter()
        .filter_map(|one| {
            if let Availability::In(rest) = one {
                Some(*rest)
            } else {
                None
            }
        })
        .min();
    let status = ReplicaSetStatus {
        replicas: count(active.len()),
        fully_labeled_replicas: nonzero(active.iter().filter(|pod| has_all(pod)).count()),
        ready_replicas: nonzero(active.iter().filter(|pod| is_ready(pod)).count()),
        available_replicas: nonzero(judged.iter().filter(|one| **one == Availability::Yes).count()),
        terminating_replicas: Some(count(terminating)),
        observed_generation: set.metadata.generation,
        conditions: desired_conditions(set, trouble, now),
    };
    (status, again)
}

fn desired_conditions(
    set: &ReplicaSet,
    trouble: Option<&Trouble>,
    now: Timestamp,
) -> Option<Vec<ReplicaSetCondition>> {
    let mut conditions = set
        .status
        .as_ref()
        .and_then(|status| status.conditions.clone())
        .unwrap_or_default();
    let known = conditions
        .iter()
        .position(|condition| condition.type_.as_deref() == Some("ReplicaFailure"));
    match (trouble, known) {
        (None, None) => {}
        (None, Some(index)) => drop(conditions.remove(index)),
        (Some(trouble), Some(index)) => {
            conditions[index].reason = Some(trouble.reason.to_owned());
            conditions[index].message = Some(trouble.message.clone());
        }
        (Some(trouble), None) => conditions.push(ReplicaSetCondition {
            type_: Some("ReplicaFailure".to_owned()),
            status: Some("True".to_owned()),
            reason: Some(trouble.reason.to_owned()),
            message: Some(trouble.message.clone()),
            last_transition_time: Some(Time(now)),
        }),
    }
    Some(conditions).filter(|conditions| !conditions.is_empty())
}

fn wanted_replicas(set: &ReplicaSet) -> usize {
    usize::try_from(set.spec.replicas.unwrap_or(1)).unwrap_or(0)
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn nonzero(number: usize) -> Option<i32> {
    Some(count(number)).filter(|number| *number != 0)
}

#[cfg(test)]
mod tests;
