//! What controllers need to know of a Pod, as functions of the Pod and the time.

use std::time::Duration;

use jiff::Timestamp;

use crate::object::Object;
use crate::pod::{Condition, Pod};

/// The condition that says whether the Pod has a node.
pub(crate) const SCHEDULED: &str = "PodScheduled";
/// The annotation with what it costs to delete the Pod.
pub(crate) const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// A condition of the Pod.
pub(crate) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a Condition> {
    pod.conditions.iter().find(|condition| condition.kind == kind)
}

/// The Pod's phase; `Pending` before it has one.
pub(crate) fn phase(pod: &Pod) -> &str {
    if pod.phase.is_empty() {
        "Pending"
    } else {
        &pod.phase
    }
}

/// Whether the Pod has ended for good.
pub(crate) fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether the Pod counts: neither ended nor being deleted.
pub(crate) fn is_active(pod: &Pod) -> bool {
    !is_finished(pod) && !pod.is_dying()
}

/// Whether the Pod is ready.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Since when the Pod has been ready.
pub(crate) fn ready_since(pod: &Pod) -> Option<Timestamp> {
    condition(pod, "Ready")
        .filter(|ready| ready.status == "True")?
        .since
}

/// The node the Pod is bound to.
pub(crate) fn node(pod: &Pod) -> Option<&str> {
    pod.node.as_deref()
}

/// Whether a Pod is available: ready for at least `minReadySeconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Availability {
    /// It is.
    Yes,
    /// It will be after that time, if it stays ready.
    In(Duration),
    /// It is not ready.
    No,
}

/// The availability of `pod` at `now`.
pub(crate) fn availability(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> Availability {
    if !is_ready(pod) {
        return Availability::No;
    }
    if min_ready_seconds <= 0 {
        return Availability::Yes;
    }
    let Some(since) = ready_since(pod) else {
        return Availability::No;
    };
    let wanted = Duration::from_secs(u64::from(min_ready_seconds.unsigned_abs()));
    let already = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    match wanted.checked_sub(already) {
        None | Some(Duration::ZERO) => Availability::Yes,
        Some(rest) => Availability::In(rest),
    }
}

/// How dear a Pod is when some have to go: the smallest go first. As in Kubernetes: unbound before bound, pending before
/// running, not ready before ready, cheap before costly, ready for a short time before a long one, restarted often before
/// seldom, young before old.
pub(crate) fn keeping_value(pod: &Pod) -> impl Ord + use<> {
    let phase_value = match phase(pod) {
        "Running" => 2,
        "Unknown" => 1,
        _ => 0,
    };
    let cost = pod.annotations.get(DELETION_COST);
    let cost = cost.and_then(|cost| cost.parse::<i32>().ok()).unwrap_or(0);
    let running = pod.containers.iter().filter(|container| !container.is_init);
    let restarts = running.map(|container| container.restarts).max().unwrap_or(0);
    (
        node(pod).is_some(),
        phase_value,
        is_ready(pod),
        cost,
        std::cmp::Reverse(ready_since(pod)),
        std::cmp::Reverse(restarts),
        std::cmp::Reverse(pod.created),
    )
}
