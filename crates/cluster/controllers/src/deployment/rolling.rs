//! One step of a rolling update: the new `ReplicaSet` up as far as the surge allows, old ones down as far as availability
//! allows. Pure; called by the plan.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::plan::{Action, is_recreate, wanted_replicas};
use super::replica_sets::{available, created, scaled, wanted};
use crate::percent::{Round, resolve};

/// Surge and unavailability when the Deployment does not say.
const DEFAULT_SHARE: &str = "25%";

/// The next step.
pub(crate) fn step(
    deployment: &Deployment,
    new: Option<&Arc<ReplicaSet>>,
    old: &[&Arc<ReplicaSet>],
) -> Vec<Action> {
    let target = new_size(deployment, new, old);
    let Some(new) = new else {
        return vec![created(deployment, old, target)];
    };
    if target != wanted(new) {
        return vec![scaled(deployment, new, target)];
    }
    let sizes = old_sizes(deployment, new, old);
    let shrunk = old.iter().zip(sizes).filter(|(set, size)| wanted(set) != *size);
    shrunk.map(|(set, size)| scaled(deployment, set, size)).collect()
}

/// How many replicas the new `ReplicaSet` may have now.
fn new_size(deployment: &Deployment, new: Option<&Arc<ReplicaSet>>, old: &[&Arc<ReplicaSet>]) -> i32 {
    let target = wanted_replicas(deployment);
    let own = new.map_or(0, |set| wanted(set));
    if own >= target {
        return target;
    }
    let all = own + old.iter().map(|set| wanted(set)).sum::<i32>();
    let room = target + max_surge(deployment) - all;
    own + room.clamp(0, target - own)
}

/// How many replicas each old `ReplicaSet` may keep now: unhealthy ones go first, then as many as availability spares.
fn old_sizes(deployment: &Deployment, new: &ReplicaSet, old: &[&Arc<ReplicaSet>]) -> Vec<i32> {
    let mut sizes: Vec<i32> = old.iter().map(|set| wanted(set)).collect();
    let all = wanted(new) + sizes.iter().sum::<i32>();
    let minimum = wanted_replicas(deployment) - max_unavailable(deployment);
    let new_unavailable = (wanted(new) - available(new)).max(0);
    let mut spare = all - minimum - new_unavailable;
    for (set, size) in old.iter().zip(&mut sizes) {
        let unhealthy = (*size - available(set)).max(0);
        let down = unhealthy.min(spare).max(0);
        *size -= down;
        spare -= down;
    }
    // Counted by availability, and never by more than what was to spare in the first place.
    let available_now = available(new) + old.iter().map(|set| available(set)).sum::<i32>();
    let mut rest = (available_now - minimum).min(spare).max(0);
    for size in &mut sizes {
        let down = rest.min(*size);
        *size -= down;
        rest -= down;
    }
    sizes
}

/// Pods that may be there beyond `spec.replicas`.
pub(crate) fn max_surge(deployment: &Deployment) -> i32 {
    bounds(deployment).0
}

/// Pods of `spec.replicas` that may be missing.
pub(crate) fn max_unavailable(deployment: &Deployment) -> i32 {
    bounds(deployment).1
}

fn bounds(deployment: &Deployment) -> (i32, i32) {
    let replicas = wanted_replicas(deployment);
    if is_recreate(deployment) {
        return (0, replicas);
    }
    let strategy = deployment.spec.strategy.as_ref();
    let rolling = strategy
        .and_then(|strategy| strategy.rolling_update.clone())
        .unwrap_or_default();
    let RollingUpdateDeployment {
        max_surge,
        max_unavailable,
    } = rolling;
    let share = || IntOrString::String(DEFAULT_SHARE.to_owned());
    let surge = resolve(&max_surge.unwrap_or_else(share), replicas, Round::Up);
    let unavailable = resolve(&max_unavailable.unwrap_or_else(share), replicas, Round::Down);
    // Both zero would never move: as Kubernetes, one Pod may be missing then.
    let unavailable = if surge == 0 && unavailable == 0 {
        1
    } else {
        unavailable
    };
    (surge, unavailable.min(replicas))
}
