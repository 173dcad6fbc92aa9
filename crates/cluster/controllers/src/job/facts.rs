//! What a Job's controller needs to know of the Job and of one Pod of it. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobCondition};

use super::indexes::Indexes;
use crate::object::Object;
use crate::pod::Pod;
use crate::pods::{condition, phase};

/// The finalizer of a Pod that its Job has not counted yet.
pub(crate) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// The annotation and the label with the index of a Pod.
pub(crate) const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The annotation with the failures of the index before this Pod.
pub(crate) const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// The annotation with the failures of the index before this Pod that the failure policy ignores.
pub(crate) const IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
/// The name under which this controller manages Jobs.
const MANAGER: &str = "kubernetes.io/job-controller";

/// Whether another controller looks after the Job.
pub(crate) fn is_managed_elsewhere(job: &Job) -> bool {
    job.spec
        .as_ref()
        .and_then(|spec| spec.managed_by.as_deref())
        .is_some_and(|manager| manager != MANAGER)
}

/// A condition of the Job that holds.
pub(crate) fn holding<'a>(job: &'a Job, kind: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    conditions
        .iter()
        .find(|condition| condition.type_ == kind && condition.status == "True")
}

/// The condition that says that the Job has ended, one way or the other.
pub(crate) fn end_of(job: &Job) -> Option<&JobCondition> {
    holding(job, "Complete").or_else(|| holding(job, "Failed"))
}

/// The indexes of the Job, if it is an indexed one: all numbers below this.
pub(crate) fn index_end(job: &Job) -> Option<u32> {
    let spec = job.spec.as_ref()?;
    (spec.completion_mode.as_deref() == Some("Indexed"))
        .then(|| u32::try_from(spec.completions.unwrap_or(0)).unwrap_or(0))
}

/// Failures that each index may have, if the Job counts by index.
pub(crate) fn limit_per_index(job: &Job) -> Option<i32> {
    index_end(job)?;
    job.spec.as_ref()?.backoff_limit_per_index
}

/// Whether a Pod is replaced only once it has ended, and not as soon as it is being deleted.
pub(crate) fn replaces_ended_only(job: &Job) -> bool {
    let Some(spec) = &job.spec else { return false };
    spec.pod_replacement_policy.as_deref() == Some("Failed") || spec.pod_failure_policy.is_some()
}

/// The Pod's index, if it has one that the Job has.
pub(crate) fn valid_index(pod: &Pod, end: u32) -> Option<u32> {
    index_of(pod).filter(|index| *index < end)
}

/// The index that the Pod was made for.
pub(crate) fn index_of(pod: &Pod) -> Option<u32> {
    annotation(pod, COMPLETION_INDEX)
}

/// The indexes of `pods`.
pub(crate) fn indexes_of<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Indexes {
    pods.into_iter().filter_map(index_of).collect()
}

/// Failures of the Pod's index before it: those that count, and those that are ignored.
pub(crate) fn earlier_failures(pod: &Pod) -> (u32, u32) {
    (
        annotation(pod, FAILURES).unwrap_or(0),
        annotation(pod, IGNORED_FAILURES).unwrap_or(0),
    )
}

fn annotation(pod: &Pod, name: &str) -> Option<u32> {
    pod.annotations.get(name)?.parse().ok()
}

/// Whether the Job has still to count the Pod.
pub(crate) fn is_tracked(pod: &Pod) -> bool {
    pod.finalizers.iter().any(|finalizer| *finalizer == TRACKING)
}

/// Whether the Pod is one that the Job takes for failed.
pub(crate) fn has_failed(job: &Job, pod: &Pod) -> bool {
    match phase(pod) {
        "Failed" => true,
        "Succeeded" => false,
        // One that is deleted may never get as far as to say how it ended.
        _ => pod.is_dying() && !replaces_ended_only(job),
    }
}

/// When the Pod ended, as well as can be told.
pub(crate) fn finished_at(pod: &Pod) -> Timestamp {
    let not_ready = || {
        condition(pod, "Ready")
            .filter(|ready| ready.status == "False")?
            .since
    };
    last_container_end(pod)
        .or_else(not_ready)
        .or_else(|| asked_to_end_at(pod))
        .or(pod.created)
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The end of the last container, once all have ended.
fn last_container_end(pod: &Pod) -> Option<Timestamp> {
    let running = pod.containers.iter().filter(|container| !container.is_init);
    let ends: Option<Vec<Timestamp>> = running.map(|container| container.end?.at).collect();
    ends?.into_iter().max()
}

fn asked_to_end_at(pod: &Pod) -> Option<Timestamp> {
    let deletion = pod.deletion.as_ref()?;
    let grace = SignedDuration::from_secs(deletion.grace_seconds);
    deletion.at.checked_sub(grace).ok()
}
