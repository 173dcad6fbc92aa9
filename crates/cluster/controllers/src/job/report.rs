//! The status of a Job, and the Pods that are counted with it. Pure; called after the plan was carried out.
//!
//! Each Pod is counted once, over restarts: first its uid is written down (`uncountedTerminatedPods`) or its index, then
//! its finalizer is taken away, and only the status after that has it as a number.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{JobCondition, JobStatus, UncountedTerminatedPods};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::counts::{Counts, Observed, count, uncounted};
use super::facts::{has_failed, index_end, index_of, is_tracked, valid_index};
use super::failure_policy::consequence;
use super::finish::{End, completed, end, is_suspended, started_at};
use super::indexes::Indexes;
use crate::events::Kind;
use crate::object::Object;
use crate::owner::is_dying;
use crate::pod::Pod;
use crate::pods::{is_finished, phase};

/// Most Pods written down at once, so that the status stays small.
const MOST_UNCOUNTED: usize = 500;

/// What to write, release and say.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The status to be.
    pub(crate) status: JobStatus,
    /// Pods that may lose their finalizer once the status is written.
    pub(crate) release: Vec<Arc<Pod>>,
    /// Events to record once the status is written.
    pub(crate) notes: Vec<Note>,
}

/// An event about the Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// News or trouble.
    pub(crate) kind: Kind,
    /// In a word.
    pub(crate) reason: String,
    /// In a sentence.
    pub(crate) message: String,
}

impl Note {
    fn new(kind: Kind, reason: &str, message: &str) -> Self {
        Self {
            kind,
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }
}

/// The report on the Job as it is now.
pub(crate) fn report(observed: Observed<'_>) -> Report {
    let counts = Counts::of(observed);
    // An end is not declared while Pods run that could not be deleted.
    let reached = end(observed, &counts)
        .filter(|_| counts.active.is_empty())
        .or_else(|| completed(observed.spec, &counts));
    let mut status = observed.job.status.clone().unwrap_or_default();
    let mut notes = Vec::new();
    if status.start_time.is_none() && !is_suspended(observed.spec) {
        status.start_time = Some(Time(observed.now));
    }
    if reached.is_none() && !is_dying(&observed.job.metadata) {
        note_suspension(observed, &mut status, &mut notes);
    }
    let waiting = clear_counted(observed, &mut status);
    let (fresh, release, complete) = newly_ended(observed, &counts, reached.as_ref(), waiting);
    status.active = nonzero(count(counts.active.len()));
    status.ready = Some(counts.ready);
    status.terminating = Some(counts.terminating);
    if index_end(observed.job).is_some() {
        status.succeeded = nonzero(counts.succeeded);
        status.completed_indexes = Some(counts.succeeded_indexes.to_string()).filter(|text| !text.is_empty());
        let failed = failed_indexes(observed, &counts, reached.as_ref());
        status.failed_indexes = failed.map(|failed| failed.to_string());
    }
    if let Some(reached) = &reached {
        let conditions = status.conditions.get_or_insert_default();
        let interim = if reached.success {
            "SuccessCriteriaMet"
        } else {
            "FailureTarget"
        };
        set(conditions, condition(interim, "True", reached, observed.now));
        let counted = complete && release.is_empty() && is_empty(&fresh);
        if counted && counts.terminating == 0 {
            finish(observed, reached, &mut status, &mut notes);
        }
    }
    status.uncounted_terminated_pods = Some(fresh);
    Report {
        status,
        release,
        notes,
    }
}

/// The indexes that have failed; those of Pods that go because the Job is at its end have not.
fn failed_indexes(observed: Observed<'_>, counts: &Counts, end: Option<&End>) -> Option<Indexes> {
    if end.is_none() {
        return counts.failed_indexes.clone();
    }
    let stays = |pod: &&Arc<Pod>| !pod.is_dying() || is_finished(pod);
    let pods: Vec<Arc<Pod>> = observed.pods.iter().filter(stays).cloned().collect();
    Counts::of(Observed {
        pods: &pods,
        ..observed
    })
    .failed_indexes
}

fn finish(observed: Observed<'_>, end: &End, status: &mut JobStatus, notes: &mut Vec<Note>) {
    let kind = if end.success { "Complete" } else { "Failed" };
    let conditions = status.conditions.get_or_insert_default();
    set(conditions, condition(kind, "True", end, observed.now));
    if !end.success {
        notes.push(Note::new(Kind::Warning, &end.reason, &end.message));
        return;
    }
    status.completion_time = Some(Time(observed.now));
    let wanted = observed.spec.completions;
    if wanted.is_some_and(|wanted| status.succeeded.unwrap_or(0) > wanted) {
        let message = "Too many succeeded pods running after completion count reached";
        notes.push(Note::new(Kind::Warning, "TooManySucceededPods", message));
    }
    notes.push(Note::new(Kind::Normal, "Completed", "Job completed"));
}

/// Says whether the Job is suspended; a Job that goes on starts its clock anew.
fn note_suspension(observed: Observed<'_>, status: &mut JobStatus, notes: &mut Vec<Note>) {
    let (value, reason, word) = if is_suspended(observed.spec) {
        ("True", "JobSuspended", "Suspended")
    } else {
        ("False", "JobResumed", "Resumed")
    };
    let message = format!("Job {}", word.to_lowercase());
    let known = status
        .conditions
        .iter()
        .flatten()
        .find(|known| known.type_ == "Suspended");
    let changes = match known {
        Some(known) => known.status != value,
        // Never suspended is not worth a word.
        None => value == "True",
    };
    if !changes {
        return;
    }
    if value == "False" {
        status.start_time = Some(Time(started_at(observed)));
    }
    let why = End {
        success: true,
        reason: reason.to_owned(),
        message: message.clone(),
    };
    let conditions = status.conditions.get_or_insert_default();
    set(conditions, condition("Suspended", value, &why, observed.now));
    notes.push(Note::new(Kind::Normal, word, &message));
}

/// Adds the Pods that have lost their finalizer to the numbers; the others stay written down.
fn clear_counted(observed: Observed<'_>, status: &mut JobStatus) -> UncountedTerminatedPods {
    let tracked: HashSet<&str> = observed
        .pods
        .iter()
        .filter(|pod| is_tracked(pod))
        .map(|pod| pod.uid())
        .collect();
    let noted = uncounted(observed.job);
    let split = |list: Option<Vec<String>>| -> (Vec<String>, i32) {
        let list = list.unwrap_or_default();
        let before = list.len();
        let rest: Vec<String> = list
            .into_iter()
            .filter(|uid| tracked.contains(uid.as_str()))
            .collect();
        let counted = count(before - rest.len());
        (rest, counted)
    };
    let (succeeded, more) = split(noted.succeeded);
    status.succeeded = nonzero(status.succeeded.unwrap_or(0).saturating_add(more));
    let (failed, more) = split(noted.failed);
    status.failed = nonzero(status.failed.unwrap_or(0).saturating_add(more));
    UncountedTerminatedPods {
        succeeded: Some(succeeded).filter(|list| !list.is_empty()),
        failed: Some(failed).filter(|list| !list.is_empty()),
    }
}

/// Writes down the Pods that have ended; they and those written down before may lose their finalizer. Whether that is
/// all of them.
fn newly_ended(
    observed: Observed<'_>,
    counts: &Counts,
    end: Option<&End>,
    mut noted: UncountedTerminatedPods,
) -> (UncountedTerminatedPods, Vec<Arc<Pod>>, bool) {
    let mut succeeded = noted.succeeded.take().unwrap_or_default();
    let mut failed = noted.failed.take().unwrap_or_default();
    let known: HashSet<String> = succeeded.iter().chain(&failed).cloned().collect();
    let mut pods: Vec<&Arc<Pod>> = observed.pods.iter().filter(|pod| is_tracked(pod)).collect();
    if index_end(observed.job).is_some() {
        pods.sort_by_key(|pod| index_of(pod));
    }
    let mut release = Vec::new();
    let mut complete = true;
    for pod in pods {
        if !may_release(observed, counts, end, pod) {
            continue;
        }
        let uid = pod.uid().to_owned();
        let full = succeeded.len() + failed.len() >= MOST_UNCOUNTED && !known.contains(&uid);
        if full || release.len() >= MOST_UNCOUNTED {
            complete = false;
            break;
        }
        release.push(Arc::clone(pod));
        match outcome(observed, end, pod) {
            _ if known.contains(&uid) => {}
            Outcome::Succeeded => succeeded.push(uid),
            Outcome::Failed => failed.push(uid),
            Outcome::None => {}
        }
    }
    noted.succeeded = Some(succeeded).filter(|list| !list.is_empty());
    noted.failed = Some(failed).filter(|list| !list.is_empty());
    (noted, release, complete)
}

/// As what a Pod is written down.
enum Outcome {
    None,
    Succeeded,
    Failed,
}

fn outcome(observed: Observed<'_>, end: Option<&End>, pod: &Pod) -> Outcome {
    let job = observed.job;
    let indexed = index_end(job);
    if phase(pod) == "Succeeded" {
        // The index itself is written down: that is enough never to count it twice.
        return if indexed.is_some() {
            Outcome::None
        } else {
            Outcome::Succeeded
        };
    }
    let belongs = indexed.is_none_or(|end| valid_index(pod, end).is_some());
    // With the Job failed, whatever still runs has failed.
    let failed = has_failed(job, pod) || end.is_some_and(|end| !end.success);
    if failed && belongs && consequence(job, pod).counts() {
        Outcome::Failed
    } else {
        Outcome::None
    }
}

fn may_release(observed: Observed<'_>, counts: &Counts, end: Option<&End>, pod: &Arc<Pod>) -> bool {
    if is_dying(&observed.job.metadata) || end.is_some() || phase(pod) == "Succeeded" {
        return true;
    }
    // The last failed Pod of an index stays until the next one has its number of failures.
    let awaited = index_of(pod)
        .and_then(|index| counts.to_retry.get(&index))
        .is_some_and(|kept| kept.uid == pod.uid);
    has_failed(observed.job, pod) && !awaited
}

fn condition(kind: &str, status: &str, why: &End, now: Timestamp) -> JobCondition {
    JobCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(why.reason.clone()),
        message: Some(why.message.clone()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    }
}

/// Puts a condition in; one that says the same already stays untouched.
fn set(conditions: &mut Vec<JobCondition>, new: JobCondition) {
    match conditions.iter_mut().find(|known| known.type_ == new.type_) {
        Some(known)
            if known.status == new.status && known.reason == new.reason && known.message == new.message => {}
        Some(known) => *known = new,
        None => conditions.push(new),
    }
}

fn is_empty(noted: &UncountedTerminatedPods) -> bool {
    noted.succeeded.is_none() && noted.failed.is_none()
}

/// Zero is not written, as in Kubernetes.
fn nonzero(number: i32) -> Option<i32> {
    Some(number).filter(|number| *number != 0)
}
