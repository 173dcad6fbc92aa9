//! How far a Job is: the Pods that run, and those that have ended, counted already or not. Pure; what follows from it is
//! said in `finish.rs` and `plan.rs`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobSpec, UncountedTerminatedPods};

use super::facts::{
    earlier_failures, finished_at, has_failed, index_end, index_of, indexes_of, is_tracked, limit_per_index,
    valid_index,
};
use super::failure_policy::{Consequence, consequence};
use super::indexes::Indexes;
use crate::object::Object;
use crate::pod::Pod;
use crate::pods::{is_active, is_finished, is_ready, phase};

/// What is known of a Job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    /// The Job.
    pub(crate) job: &'a Job,
    /// Its specification.
    pub(crate) spec: &'a JobSpec,
    /// The Pods that it controls.
    pub(crate) pods: &'a [Arc<Pod>],
    /// The time.
    pub(crate) now: Timestamp,
}

/// The numbers of a Job.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    /// Pods that have neither ended nor are being deleted.
    pub(crate) active: Vec<Arc<Pod>>,
    /// Pods of these that are ready.
    pub(crate) ready: i32,
    /// Pods that are being deleted and have not ended.
    pub(crate) terminating: i32,
    /// Successes, those that the status does not have yet included; of an indexed Job, indexes.
    pub(crate) succeeded: i32,
    /// Failures that count, those that the status does not have yet included.
    pub(crate) failed: i32,
    /// The indexes that have succeeded; empty for a Job without indexes.
    pub(crate) succeeded_indexes: Indexes,
    /// The indexes that have failed for good, where each index has its own limit.
    pub(crate) failed_indexes: Option<Indexes>,
    /// The last Pod of each index that has to be tried again: it carries the number of its failures.
    pub(crate) to_retry: BTreeMap<u32, Arc<Pod>>,
}

impl Counts {
    /// Counts.
    pub(crate) fn of(observed: Observed<'_>) -> Self {
        let Observed { job, pods, .. } = observed;
        let active: Vec<Arc<Pod>> = pods.iter().filter(|pod| is_active(pod)).cloned().collect();
        let fresh = Fresh::of(observed);
        let status = job.status.clone().unwrap_or_default();
        let mut succeeded = status.succeeded.unwrap_or(0).saturating_add(fresh.succeeded);
        let failed = status.failed.unwrap_or(0).saturating_add(fresh.failed);
        let succeeded_indexes = index_end(job).map_or_else(Indexes::default, |end| {
            let indexes = succeeded_indexes(observed, end);
            succeeded = count(indexes.len());
            indexes
        });
        let failed_indexes = limit_per_index(job).map(|limit| failed_indexes(observed, limit));
        let mut counts = Self {
            ready: count(active.iter().filter(|pod| is_ready(pod)).count()),
            terminating: count(
                pods.iter()
                    .filter(|pod| pod.is_dying() && !is_finished(pod))
                    .count(),
            ),
            active,
            succeeded,
            failed,
            succeeded_indexes,
            failed_indexes,
            to_retry: BTreeMap::new(),
        };
        if counts.failed_indexes.is_some() {
            counts.to_retry = counts.indexes_to_retry(observed);
        }
        counts
    }

    fn indexes_to_retry(&self, observed: Observed<'_>) -> BTreeMap<u32, Arc<Pod>> {
        let running = indexes_of(self.active.iter().map(|pod| &**pod));
        let mut retry: BTreeMap<u32, Arc<Pod>> = BTreeMap::new();
        let end = index_end(observed.job).unwrap_or(0);
        for pod in observed.pods.iter().filter(|pod| has_failed(observed.job, pod)) {
            let Some(index) = valid_index(pod, end) else {
                continue;
            };
            let settled = self.succeeded_indexes.has(index)
                || self
                    .failed_indexes
                    .as_ref()
                    .is_some_and(|failed| failed.has(index))
                || running.has(index);
            let is_later = |known: &Arc<Pod>| rank(known) <= rank(pod);
            if is_tracked(pod) && !settled && retry.get(&index).is_none_or(is_later) {
                retry.insert(index, Arc::clone(pod));
            }
        }
        retry
    }
}

/// Which of the failed Pods of an index is the last one.
fn rank(pod: &Pod) -> (u32, Timestamp) {
    let (counted, ignored) = earlier_failures(pod);
    (counted.saturating_add(ignored), finished_at(pod))
}

/// Ends that the numbers in the status do not have yet.
struct Fresh {
    succeeded: i32,
    failed: i32,
}

impl Fresh {
    fn of(observed: Observed<'_>) -> Self {
        let job = observed.job;
        let noted = uncounted(job);
        let (succeeded, failed) = (known(noted.succeeded.as_ref()), known(noted.failed.as_ref()));
        let mut fresh = Self {
            succeeded: count(succeeded.len()),
            failed: count(failed.len()),
        };
        let end = index_end(job);
        let belongs = |pod: &Pod| is_tracked(pod) && end.is_none_or(|end| valid_index(pod, end).is_some());
        for pod in observed.pods.iter().filter(|pod| belongs(pod)) {
            if phase(pod) == "Succeeded" && !succeeded.contains(pod.uid()) {
                fresh.succeeded += 1;
            }
            if has_failed(job, pod) && !failed.contains(pod.uid()) && consequence(job, pod).counts() {
                fresh.failed += 1;
            }
        }
        fresh
    }
}

fn known(uids: Option<&Vec<String>>) -> HashSet<&str> {
    uids.into_iter().flatten().map(String::as_str).collect()
}

/// Pods that the status knows to have ended and has not added to its numbers yet.
pub(crate) fn uncounted(job: &Job) -> UncountedTerminatedPods {
    let status = job.status.as_ref();
    status
        .and_then(|status| status.uncounted_terminated_pods.clone())
        .unwrap_or_default()
}

fn succeeded_indexes(observed: Observed<'_>, end: u32) -> Indexes {
    let status = observed.job.status.as_ref();
    let text = status.and_then(|status| status.completed_indexes.as_deref());
    let mut indexes = Indexes::parse(text.unwrap_or_default(), end);
    let succeeded = observed
        .pods
        .iter()
        .filter(|pod| phase(pod) == "Succeeded" && is_tracked(pod));
    succeeded
        .filter_map(|pod| valid_index(pod, end))
        .for_each(|index| indexes.insert(index));
    indexes
}

fn failed_indexes(observed: Observed<'_>, limit: i32) -> Indexes {
    let end = index_end(observed.job).unwrap_or(0);
    let status = observed.job.status.as_ref();
    let text = status.and_then(|status| status.failed_indexes.as_deref());
    let mut indexes = Indexes::parse(text.unwrap_or_default(), end);
    let limit = u32::try_from(limit).unwrap_or(0);
    let failed = observed
        .pods
        .iter()
        .filter(|pod| is_tracked(pod) && fails_its_index(observed.job, pod, limit));
    failed
        .filter_map(|pod| index_of(pod).filter(|index| *index < end))
        .for_each(|index| indexes.insert(index));
    indexes
}

fn fails_its_index(job: &Job, pod: &Pod, limit: u32) -> bool {
    if !has_failed(job, pod) {
        return false;
    }
    match consequence(job, pod) {
        Consequence::FailsIndex => true,
        Consequence::Ignored => false,
        Consequence::Counts | Consequence::FailsJob(_) => earlier_failures(pod).0 >= limit,
    }
}

/// A number as the API has it.
pub(crate) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
