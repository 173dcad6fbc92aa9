//! Whether a Job has reached its end, and why. Pure; reasons and messages are those of Kubernetes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{JobCondition, JobSpec, SuccessPolicyRule};

use super::counts::{Counts, Observed};
use super::facts::{has_failed, holding, index_end};
use super::failure_policy::{Consequence, consequence};
use super::indexes::Indexes;
use crate::pod::Pod;
use crate::pods::phase;

/// The end of a Job, as soon as it is clear; its Pods may still be ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Whether the Job has done what it was made for.
    pub(crate) success: bool,
    /// Why, in a word.
    pub(crate) reason: String,
    /// Why, in a sentence.
    pub(crate) message: String,
}

impl End {
    fn new(success: bool, reason: &str, message: impl Into<String>) -> Self {
        Self {
            success,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn noted(success: bool, condition: &JobCondition) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self::new(success, &text(&condition.reason), text(&condition.message))
    }
}

/// The end that was noted before, or that a rule or limit brings now; running Pods have to go then.
pub(crate) fn end(observed: Observed<'_>, counts: &Counts) -> Option<End> {
    let job = observed.job;
    if let Some(met) = holding(job, "SuccessCriteriaMet") {
        return Some(End::noted(true, met));
    }
    if let Some(target) = holding(job, "FailureTarget") {
        return Some(End::noted(false, target));
    }
    failed_by_policy(observed)
        .or_else(|| limit_reached(observed, counts))
        .or_else(|| failed_by_indexes(observed, counts))
        .or_else(|| success_by_policy(observed, counts))
}

/// The end that comes by itself, when all is done and nothing runs.
pub(crate) fn completed(spec: &JobSpec, counts: &Counts) -> Option<End> {
    let enough = match spec.completions {
        // Each Pod can tell whether the whole is done: the first success is the Job's.
        None => counts.succeeded > 0,
        Some(wanted) => counts.succeeded >= wanted,
    };
    let message = "Reached expected number of succeeded pods";
    (enough && counts.active.is_empty()).then(|| End::new(true, "CompletionsReached", message))
}

/// Whether the Job is to have no Pods for now.
pub(crate) fn is_suspended(spec: &JobSpec) -> bool {
    spec.suspend.unwrap_or(false)
}

/// How long the Job may still run; nothing without a deadline, or when time does not count.
pub(crate) fn time_left(observed: Observed<'_>) -> Option<Duration> {
    let seconds = observed.spec.active_deadline_seconds?;
    if is_suspended(observed.spec) {
        return None;
    }
    let passed = observed.now.duration_since(started_at(observed));
    let left = SignedDuration::from_secs(seconds).saturating_sub(passed);
    Some(Duration::try_from(left).unwrap_or_default())
}

/// Since when the Job has been running without a pause.
pub(crate) fn started_at(observed: Observed<'_>) -> Timestamp {
    if holding(observed.job, "Suspended").is_some() {
        return observed.now;
    }
    let status = observed.job.status.as_ref();
    let started = status.and_then(|status| status.start_time.as_ref());
    started.map_or(observed.now, |time| time.0)
}

fn failed_by_policy(observed: Observed<'_>) -> Option<End> {
    observed.spec.pod_failure_policy.as_ref()?;
    let failed = observed.pods.iter().filter(|pod| has_failed(observed.job, pod));
    let mut consequences = failed.map(|pod| consequence(observed.job, pod));
    consequences.find_map(|consequence| match consequence {
        Consequence::FailsJob(message) => Some(End::new(false, "PodFailurePolicy", message)),
        _ => None,
    })
}

fn limit_reached(observed: Observed<'_>, counts: &Counts) -> Option<End> {
    let limit = observed.spec.backoff_limit.unwrap_or(i32::MAX);
    if counts.failed > limit || restarts_reach(observed, limit) {
        let message = "Job has reached the specified backoff limit";
        return Some(End::new(false, "BackoffLimitExceeded", message));
    }
    let message = "Job was active longer than specified deadline";
    time_left(observed)?
        .is_zero()
        .then(|| End::new(false, "DeadlineExceeded", message))
}

/// Containers that are restarted in place fail without a Pod failing.
fn restarts_reach(observed: Observed<'_>, limit: i32) -> bool {
    let template = observed.spec.template.spec.as_ref();
    if template.and_then(|pod| pod.restart_policy.as_deref()) != Some("OnFailure") {
        return false;
    }
    let running = observed
        .pods
        .iter()
        .filter(|pod| matches!(phase(pod), "Running" | "Pending"));
    let restarts = running
        .map(|pod| restarts_of(pod))
        .fold(0_i32, i32::saturating_add);
    if limit == 0 {
        restarts > 0
    } else {
        restarts >= limit
    }
}

fn restarts_of(pod: &Pod) -> i32 {
    let restarts = pod.containers.iter().map(|container| container.restarts);
    restarts.fold(0, i32::saturating_add)
}

fn failed_by_indexes(observed: Observed<'_>, counts: &Counts) -> Option<End> {
    let failed = counts.failed_indexes.as_ref()?;
    let end = index_end(observed.job)?;
    let bearable = observed.spec.max_failed_indexes;
    if bearable.is_some_and(|most| failed.len() > usize::try_from(most).unwrap_or(0)) {
        let message = "Job has exceeded the specified maximal number of failed indexes";
        return Some(End::new(false, "MaxFailedIndexesExceeded", message));
    }
    let settled = failed.len().saturating_add(counts.succeeded_indexes.len());
    let all = settled >= usize::try_from(end).unwrap_or(usize::MAX);
    (!failed.is_empty() && all).then(|| End::new(false, "FailedIndexes", "Job has failed indexes"))
}

fn success_by_policy(observed: Observed<'_>, counts: &Counts) -> Option<End> {
    let end = index_end(observed.job)?;
    let rules = &observed.spec.success_policy.as_ref()?.rules;
    let index = rules
        .iter()
        .position(|rule| is_met(rule, &counts.succeeded_indexes, end))?;
    Some(End::new(
        true,
        "SuccessPolicy",
        format!("Matched rules at index {index}"),
    ))
}

fn is_met(rule: &SuccessPolicyRule, succeeded: &Indexes, end: u32) -> bool {
    let wanted = rule
        .succeeded_count
        .map(|count| usize::try_from(count).unwrap_or(0));
    if succeeded.is_empty() {
        return false;
    }
    match &rule.succeeded_indexes {
        Some(text) => {
            let required = Indexes::parse(text, end);
            let enough = wanted.unwrap_or(usize::MAX).min(required.len());
            succeeded.count_in(&required) >= enough
        }
        None => wanted.is_some_and(|wanted| succeeded.len() >= wanted),
    }
}
