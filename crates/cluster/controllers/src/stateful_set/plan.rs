//! What a `StatefulSet` needs next: Pods to make or delete, in order, and its status. Pure.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};

use super::identity::{Version, ordinal, revision_of};
use crate::object::Object;
use crate::owner::is_dying;
use crate::percent::{Round, resolve};
use crate::pod::Pod;
use crate::pods::{Availability, availability, is_finished, is_ready, phase};

/// What is known when planning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    /// The `StatefulSet`.
    pub(crate) set: &'a StatefulSet,
    /// The Pods that it controls.
    pub(crate) pods: &'a [Arc<Pod>],
    /// The template that all Pods had at the last quiet moment.
    pub(crate) current: &'a Version,
    /// The template of the present.
    pub(crate) update: &'a Version,
    /// The time.
    pub(crate) now: Timestamp,
}

/// One change to the world.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Make the Pod of that number, in the older version or in the present one.
    Create {
        /// Its number.
        number: i32,
        /// Whether the present template applies; else the older one does.
        updated: bool,
    },
    /// Delete this Pod.
    Delete(Arc<Pod>),
}

/// What to do now, and when to look again though nothing changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The changes, in order.
    pub(crate) actions: Vec<Action>,
    /// When a Pod becomes available.
    pub(crate) again: Option<Duration>,
}

/// Plans the next step.
pub(crate) fn plan(observed: Observed<'_>) -> Plan {
    let mut plan = Plan::default();
    if is_dying(&observed.set.metadata) {
        return plan;
    }
    let in_order = observed.set.spec.pod_management_policy.as_deref() != Some("Parallel");
    if fill(observed, in_order, &mut plan) && shrink(observed, in_order, &mut plan) {
        roll(observed, &mut plan);
    }
    plan
}

/// The numbers that the Pods should have.
pub(crate) fn numbers(set: &StatefulSet) -> std::ops::Range<i32> {
    let start = set
        .spec
        .ordinals
        .as_ref()
        .and_then(|ordinals| ordinals.start)
        .unwrap_or(0);
    start..start.saturating_add(set.spec.replicas.unwrap_or(1).max(0))
}

fn numbered(observed: Observed<'_>, number: i32) -> Option<&Arc<Pod>> {
    observed
        .pods
        .iter()
        .find(|pod| ordinal(observed.set, pod) == Some(number))
}

/// Makes the Pods that are missing; whether the next stage may begin.
fn fill(observed: Observed<'_>, in_order: bool, plan: &mut Plan) -> bool {
    for number in numbers(observed.set) {
        let waits = match numbered(observed, number) {
            None => {
                let updated = !keeps_current(observed.set, number);
                plan.actions.push(Action::Create { number, updated });
                true
            }
            Some(pod) if pod.is_dying() => true,
            Some(pod) if is_finished(pod) => {
                plan.actions.push(Action::Delete(Arc::clone(pod)));
                true
            }
            Some(pod) => !is_available(observed, pod, plan),
        };
        if waits && in_order {
            return false;
        }
    }
    true
}

/// Deletes the Pods that are too many, the highest first; whether the next stage may begin.
fn shrink(observed: Observed<'_>, in_order: bool, plan: &mut Plan) -> bool {
    let wanted = numbers(observed.set);
    let mut surplus: Vec<(i32, &Arc<Pod>)> = observed
        .pods
        .iter()
        .filter_map(|pod| Some((ordinal(observed.set, pod)?, pod)))
        .filter(|(number, _)| !wanted.contains(number))
        .collect();
    surplus.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let none = surplus.is_empty();
    for (_, pod) in surplus {
        if !pod.is_dying() {
            plan.actions.push(Action::Delete(Arc::clone(pod)));
        }
        if in_order {
            return false;
        }
    }
    none
}

/// Replaces one Pod of an old version, the highest first, when all above it are well.
fn roll(observed: Observed<'_>, plan: &mut Plan) {
    let strategy = observed.set.spec.update_strategy.as_ref();
    if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
        return;
    }
    if let Some(most) = max_unavailable(observed.set) {
        roll_several(observed, most, plan);
        return;
    }
    let wanted = numbers(observed.set);
    let lowest = wanted.start.saturating_add(partition(observed.set));
    for number in wanted.rev().take_while(|number| *number >= lowest) {
        let Some(pod) = numbered(observed, number) else {
            return;
        };
        if pod.is_dying() {
            return;
        }
        if revision_of(pod) != observed.update.revision {
            plan.actions.push(Action::Delete(Arc::clone(pod)));
            return;
        }
        if !is_available(observed, pod, plan) {
            return;
        }
    }
}

/// Replaces Pods of an old version, the highest first, as long as no more than `most` are missing.
fn roll_several(observed: Observed<'_>, most: i32, plan: &mut Plan) {
    let wanted = numbers(observed.set);
    let lowest = wanted.start.saturating_add(partition(observed.set));
    let mut missing = 0;
    for number in wanted.clone() {
        let well = numbered(observed, number)
            .is_some_and(|pod| !pod.is_dying() && is_available(observed, pod, plan));
        missing += i32::from(!well);
    }
    for number in wanted.rev().take_while(|number| *number >= lowest) {
        if missing >= most {
            return;
        }
        if let Some(pod) = numbered(observed, number)
            && !pod.is_dying()
            && revision_of(pod) != observed.update.revision
        {
            plan.actions.push(Action::Delete(Arc::clone(pod)));
            missing += 1;
        }
    }
}

/// How many Pods may be missing in an update, where the set says so.
fn max_unavailable(set: &StatefulSet) -> Option<i32> {
    let strategy = set.spec.update_strategy.as_ref()?;
    let most = strategy.rolling_update.as_ref()?.max_unavailable.as_ref()?;
    Some(resolve(most, set.spec.replicas.unwrap_or(1), Round::Down).max(1))
}

fn partition(set: &StatefulSet) -> i32 {
    let strategy = set
        .spec
        .update_strategy
        .as_ref()
        .and_then(|strategy| strategy.rolling_update.as_ref());
    strategy.and_then(|rolling| rolling.partition).unwrap_or(0).max(0)
}

/// Whether the Pod of that number stays at the older version.
fn keeps_current(set: &StatefulSet, number: i32) -> bool {
    number < numbers(set).start.saturating_add(partition(set))
}

fn is_available(observed: Observed<'_>, pod: &Pod, plan: &mut Plan) -> bool {
    if phase(pod) != "Running" {
        return false;
    }
    match availability(
        pod,
        observed.set.spec.min_ready_seconds.unwrap_or(0),
        observed.now,
    ) {
        Availability::Yes => true,
        Availability::No => false,
        Availability::In(rest) => {
            plan.again = Some(plan.again.map_or(rest, |known| known.min(rest)));
            false
        }
    }
}

/// The status to be.
pub(crate) fn desired_status(observed: Observed<'_>) -> StatefulSetStatus {
    let set = observed.set;
    let count = |wanted: &dyn Fn(&Pod) -> bool| {
        i32::try_from(observed.pods.iter().filter(|pod| wanted(pod)).count()).unwrap_or(i32::MAX)
    };
    let seconds = set.spec.min_ready_seconds.unwrap_or(0);
    let at = |pod: &Pod, version: &Version| !pod.is_dying() && revision_of(pod) == version.revision;
    let mut status = StatefulSetStatus {
        replicas: count(&|_| true),
        ready_replicas: some(count(&|pod| phase(pod) == "Running" && is_ready(pod))),
        available_replicas: Some(count(&|pod| {
            availability(pod, seconds, observed.now) == Availability::Yes
        })),
        current_replicas: some(count(&|pod| at(pod, observed.current))),
        updated_replicas: some(count(&|pod| at(pod, observed.update))),
        current_revision: Some(observed.current.revision.clone()),
        update_revision: Some(observed.update.revision.clone()),
        observed_generation: set.metadata.generation,
        collision_count: Some(
            set.status
                .as_ref()
                .and_then(|status| status.collision_count)
                .unwrap_or(0),
        ),
        conditions: set.status.as_ref().and_then(|status| status.conditions.clone()),
    };
    let wanted = set.spec.replicas.unwrap_or(1);
    let all_updated = status.updated_replicas.unwrap_or(0) == wanted
        && status.ready_replicas.unwrap_or(0) == wanted
        && status.replicas == wanted;
    if all_updated {
        status.current_revision.clone_from(&status.update_revision);
        status.current_replicas = status.updated_replicas;
    }
    status
}

/// Zero is not written, as in Kubernetes.
fn some(count: i32) -> Option<i32> {
    Some(count).filter(|count| *count != 0)
}
