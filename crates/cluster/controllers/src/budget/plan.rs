//! The status of a `PodDisruptionBudget`. Pure; the API's eviction spends what it says, one at a time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::object::Object;
use crate::percent::{Round, resolve};
use crate::pod::Pod;
use crate::pods::is_ready;

/// The one condition of a budget.
const ALLOWED: &str = "DisruptionAllowed";
/// How long an evicted Pod may take to be deleted before it counts again: Kubernetes' value.
const DELETION_TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

/// How many Pods each controller wants, by its uid; or why that cannot be told.
pub(crate) type Scales = HashMap<String, Result<i32, String>>;

/// What is known of a budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    /// The budget.
    pub(crate) budget: &'a PodDisruptionBudget,
    /// The Pods that it selects.
    pub(crate) pods: &'a [Arc<Pod>],
    /// What their controllers want.
    pub(crate) scales: &'a Scales,
    /// The time.
    pub(crate) now: Timestamp,
}

/// What to write and say.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The status to be.
    pub(crate) status: PodDisruptionBudgetStatus,
    /// Evicted Pods that were not deleted in time.
    pub(crate) not_deleted: Vec<Arc<Pod>>,
    /// Why the Pods cannot be counted, if they cannot.
    pub(crate) trouble: Option<String>,
    /// Whether Pods without controller make the count a guess.
    pub(crate) unmanaged: bool,
    /// When to look again though nothing changes.
    pub(crate) again: Option<Duration>,
}

/// Whether the scale of the Pods' controllers matters to the budget, and not only how many Pods there are.
pub(crate) fn needs_scales(budget: &PodDisruptionBudget) -> bool {
    let Some(spec) = &budget.spec else { return false };
    spec.max_unavailable.is_some() || matches!(spec.min_available, Some(IntOrString::String(_)))
}

/// Plans the status.
pub(crate) fn plan(observed: Observed<'_>) -> Plan {
    let Observed {
        budget, pods, now, ..
    } = observed;
    let known = budget.status.clone().unwrap_or_default();
    let (disrupted, not_deleted, again) = disrupted(observed, &known);
    let (expected, unmanaged) = expected_pods(observed);
    let mut plan = Plan {
        status: known,
        not_deleted,
        trouble: None,
        unmanaged,
        again,
    };
    plan.status.observed_generation = budget.metadata.generation;
    let expected = match expected {
        Ok(expected) => expected,
        Err(why) => {
            // Nothing is evicted on a guess.
            plan.status.disruptions_allowed = Some(0);
            set_allowed(&mut plan.status, false, "SyncFailed", &why, now);
            plan.trouble = Some(why);
            return plan;
        }
    };
    let healthy = pods
        .iter()
        .filter(|pod| !pod.is_dying() && is_ready(pod))
        .filter(|pod| !disrupted.contains_key(pod.name()))
        .count();
    let healthy = i32::try_from(healthy).unwrap_or(i32::MAX);
    let desired = desired_healthy(budget, expected);
    let allowed = if expected > 0 {
        (healthy - desired).max(0)
    } else {
        0
    };
    plan.status.current_healthy = Some(healthy);
    plan.status.desired_healthy = Some(desired);
    plan.status.expected_pods = Some(expected);
    plan.status.disruptions_allowed = Some(allowed);
    plan.status.disrupted_pods = Some(disrupted).filter(|pods| !pods.is_empty());
    let reason = if allowed > 0 {
        "SufficientPods"
    } else {
        "InsufficientPods"
    };
    set_allowed(&mut plan.status, allowed > 0, reason, "", now);
    plan
}

fn desired_healthy(budget: &PodDisruptionBudget, expected: i32) -> i32 {
    let Some(spec) = &budget.spec else { return 0 };
    if let Some(most) = &spec.max_unavailable {
        return (expected - resolve(most, expected, Round::Up)).max(0);
    }
    spec.min_available
        .as_ref()
        .map_or(0, |least| resolve(least, expected, Round::Up))
}

/// How many Pods there should be; and whether some have no controller to ask.
fn expected_pods(observed: Observed<'_>) -> (Result<i32, String>, bool) {
    if !needs_scales(observed.budget) {
        return (Ok(i32::try_from(observed.pods.len()).unwrap_or(i32::MAX)), false);
    }
    let mut asked = HashSet::new();
    let mut sum = 0_i32;
    let mut unmanaged = false;
    for pod in observed.pods {
        let Some(owner) = pod.controller_uid() else {
            unmanaged = true;
            continue;
        };
        let Some(scale) = observed.scales.get(owner) else {
            let name = pod.name();
            return (Err(format!("found no controllers for pod {name:?}")), unmanaged);
        };
        match scale {
            Ok(scale) if asked.insert(owner) => sum = sum.saturating_add(*scale),
            Ok(_) => {}
            Err(why) => return (Err(why.clone()), unmanaged),
        }
    }
    (Ok(sum), unmanaged)
}

/// The evicted Pods that are still on their way, those that should have gone by now, and when the next one should.
fn disrupted(
    observed: Observed<'_>,
    known: &PodDisruptionBudgetStatus,
) -> (BTreeMap<String, Time>, Vec<Arc<Pod>>, Option<Duration>) {
    let noted = known.disrupted_pods.clone().unwrap_or_default();
    let (mut awaited, mut late, mut again) = (BTreeMap::new(), Vec::new(), None);
    for pod in observed.pods.iter().filter(|pod| !pod.is_dying()) {
        let name = pod.name();
        let Some(since) = noted.get(name) else { continue };
        let rest = DELETION_TIMEOUT.saturating_sub(observed.now.duration_since(since.0));
        match Duration::try_from(rest) {
            Ok(rest) => {
                awaited.insert(name.to_owned(), since.clone());
                again = Some(again.map_or(rest, |known: Duration| known.min(rest)));
            }
            Err(_) => late.push(Arc::clone(pod)),
        }
    }
    // A moment later, so that the time is surely over then.
    (awaited, late, again.map(|rest| rest + Duration::from_millis(1)))
}

fn set_allowed(
    status: &mut PodDisruptionBudgetStatus,
    allowed: bool,
    reason: &str,
    message: &str,
    now: Timestamp,
) {
    let value = if allowed { "True" } else { "False" };
    let conditions = status.conditions.get_or_insert_default();
    let known = conditions.iter().position(|known| known.type_ == ALLOWED);
    let since = known
        .map(|index| &conditions[index])
        .filter(|known| known.status == value)
        .map_or(Time(now), |known| known.last_transition_time.clone());
    let condition = Condition {
        type_: ALLOWED.to_owned(),
        status: value.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: status.observed_generation,
        last_transition_time: since,
    };
    match known {
        Some(index) => conditions[index] = condition,
        None => conditions.push(condition),
    }
}
