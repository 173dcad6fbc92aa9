//! Which Pods' figures count: those that have run for long enough to be typical.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use kube::ResourceExt as _;

use super::figures::PodFigures;
use crate::owner::is_dying;

/// How long after its start a Pod's use of CPU may be that of starting: Kubernetes'
/// `--horizontal-pod-autoscaler-cpu-initialization-period`.
const CPU_INITIALIZATION: SignedDuration = SignedDuration::from_mins(5);
/// A Pod that became unready this soon after its start has never been ready: Kubernetes'
/// `--horizontal-pod-autoscaler-initial-readiness-delay`.
const INITIAL_READINESS_DELAY: SignedDuration = SignedDuration::from_secs(30);

/// The Pods by what their figures are worth.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// Pods whose figures count.
    pub(crate) ready: usize,
    /// Pods that wait, start, or are not ready yet: what they use says nothing.
    pub(crate) unready: BTreeSet<String>,
    /// Pods without figures.
    pub(crate) missing: BTreeSet<String>,
    /// Pods that are ending or have failed.
    pub(crate) ignored: BTreeSet<String>,
}

/// Sorts Pods; `figures` are those of the resource in question.
pub(crate) fn sort(
    pods: &[Arc<Pod>],
    figures: &BTreeMap<String, i64>,
    of: &BTreeMap<String, PodFigures>,
    is_cpu: bool,
    now: Timestamp,
) -> Groups {
    let mut groups = Groups::default();
    for pod in pods {
        let name = pod.name_any();
        if is_dying(&pod.metadata) || phase(pod) == "Failed" {
            groups.ignored.insert(name);
        } else if phase(pod) == "Pending" {
            groups.unready.insert(name);
        } else if !figures.contains_key(&name) {
            groups.missing.insert(name);
        } else if is_cpu && of.get(&name).is_none_or(|figures| is_starting(pod, figures, now)) {
            groups.unready.insert(name);
        } else {
            groups.ready += 1;
        }
    }
    groups
}

/// Whether what a Pod uses may be what it uses to start.
fn is_starting(pod: &Pod, figures: &PodFigures, now: Timestamp) -> bool {
    let started = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
    let (Some(ready), Some(started)) = (condition(pod, "Ready"), started) else {
        return true;
    };
    let since = ready
        .last_transition_time
        .as_ref()
        .map_or(started.0, |time| time.0);
    let is_unready = ready.status == "False";
    if now < started.0 + CPU_INITIALIZATION {
        // The window of the figures has to lie after it became ready.
        is_unready || figures.at < since + figures.window
    } else {
        is_unready && since < started.0 + INITIAL_READINESS_DELAY
    }
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending")
}
