//! Scaling a Deployment, also in the middle of a rollout: every `ReplicaSet` gets its share. Pure; called by the plan.

use std::cmp::Reverse;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

use super::plan::{Action, is_recreate, wanted_replicas};
use super::replica_sets::{DESIRED, MAXIMUM, age, annotated, available, scaled, wanted};
use super::rolling::max_surge;

/// Whether the Deployment was scaled since its `ReplicaSets` were.
pub(crate) fn is_scaling(deployment: &Deployment, sets: &[Arc<ReplicaSet>]) -> bool {
    let desired = i64::from(wanted_replicas(deployment));
    let active = sets.iter().filter(|set| wanted(set) > 0);
    active
        .filter_map(|set| annotated(set, DESIRED))
        .any(|noted| noted != desired)
}

/// The changes that bring the `ReplicaSets` to the Deployment's size without rolling anything.
pub(crate) fn scale(
    deployment: &Deployment,
    new: Option<&Arc<ReplicaSet>>,
    old: &[&Arc<ReplicaSet>],
) -> Vec<Action> {
    let target = wanted_replicas(deployment);
    if let Some(only) = active_or_latest(new, old) {
        let stale = annotated(only, DESIRED).is_some_and(|noted| noted != i64::from(target));
        let due = wanted(only) != target || stale;
        return if due {
            vec![scaled(deployment, only, target)]
        } else {
            Vec::new()
        };
    }
    if new.is_some_and(|new| is_saturated(deployment, new)) {
        let active = old.iter().filter(|set| wanted(set) > 0);
        return active.map(|set| scaled(deployment, set, 0)).collect();
    }
    if is_recreate(deployment) {
        Vec::new()
    } else {
        in_proportion(deployment, new, old)
    }
}

fn active_or_latest<'a>(
    new: Option<&'a Arc<ReplicaSet>>,
    old: &[&'a Arc<ReplicaSet>],
) -> Option<&'a Arc<ReplicaSet>> {
    let mut active = new
        .into_iter()
        .chain(old.iter().copied())
        .filter(|set| wanted(set) > 0);
    match (active.next(), active.next()) {
        (None, _) => new.or_else(|| old.last().copied()),
        (Some(only), None) => Some(only),
        (Some(_), Some(_)) => None,
    }
}

fn is_saturated(deployment: &Deployment, new: &ReplicaSet) -> bool {
    let target = wanted_replicas(deployment);
    wanted(new) == target && annotated(new, DESIRED) == Some(i64::from(target)) && available(new) == target
}

fn in_proportion(
    deployment: &Deployment,
    new: Option<&Arc<ReplicaSet>>,
    old: &[&Arc<ReplicaSet>],
) -> Vec<Action> {
    let mut active: Vec<&Arc<ReplicaSet>> = new
        .into_iter()
        .chain(old.iter().copied())
        .filter(|set| wanted(set) > 0)
        .collect();
    let all: i32 = active.iter().map(|set| wanted(set)).sum();
    let target = wanted_replicas(deployment);
    let allowed = if target > 0 {
        target + max_surge(deployment)
    } else {
        0
    };
    let to_add = allowed - all;
    if to_add > 0 {
        active.sort_by_key(|set| (Reverse(wanted(set)), Reverse(age(set))));
    } else {
        active.sort_by_key(|set| (Reverse(wanted(set)), age(set)));
    }
    let mut added = 0;
    let mut sizes = Vec::with_capacity(active.len());
    for set in &active {
        let share = if to_add == 0 {
            0
        } else {
            share_of(deployment, set, to_add, added)
        };
        added += share;
        sizes.push(wanted(set) + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    let desired = i64::from(target);
    let due = active.iter().zip(sizes);
    let due = due.filter(|(set, size)| wanted(set) != *size || annotated(set, DESIRED) != Some(desired));
    due.map(|(set, size)| scaled(deployment, set, size)).collect()
}

fn share_of(deployment: &Deployment, set: &ReplicaSet, to_add: i32, added: i32) -> i32 {
    let own = i64::from(wanted(set));
    let target = wanted_replicas(deployment);
    let fraction = if target == 0 {
        -own
    } else {
        let total = i64::from(target + max_surge(deployment));
        let noted = annotated(set, MAXIMUM)
            .filter(|noted| *noted > 0)
            .unwrap_or(total);
        // Rounded to the nearest, halves away from zero.
        (own * total * 2 + noted) / (noted * 2) - own
    };
    let fraction = i32::try_from(fraction).unwrap_or(0);
    let rest = to_add - added;
    if to_add > 0 {
        fraction.clamp(0, rest.max(0))
    } else {
        fraction.clamp(rest.min(0), 0)
    }
}
