//! Which Pods a Job has to make or end now. Pure; `controller.rs` carries it out, and `report.rs` says what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::backoff;
use super::counts::{Counts, Observed, count};
use super::facts::{index_end, indexes_of, limit_per_index, replaces_ended_only, valid_index};
use super::finish::{end, is_suspended};
use crate::object::Object;
use crate::owner::is_dying;
use crate::pod::Pod;
use crate::pods::{is_finished, keeping_value};

/// Most Pods made or deleted in one go; the rest follow in the next round.
const MOST_AT_ONCE: usize = 500;

/// A Pod to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewPod {
    /// Its index, in an indexed Job.
    pub(crate) index: Option<u32>,
    /// The failed Pod that it comes after, where failures are counted by index.
    pub(crate) after: Option<Arc<Pod>>,
}

/// What to do.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Nothing.
    Rest,
    /// Make these Pods.
    Create(Vec<NewPod>),
    /// Delete these Pods, and count none of them: the Job no longer wants them.
    Remove(Vec<Arc<Pod>>),
    /// Delete these Pods: the Job is at its end.
    End(Vec<Arc<Pod>>),
}

/// Plans the next step; also when to look again though nothing changes.
pub(crate) fn plan(observed: Observed<'_>) -> (Action, Option<Duration>) {
    let counts = Counts::of(observed);
    if end(observed, &counts).is_some() {
        let action = if counts.active.is_empty() {
            Action::Rest
        } else {
            Action::End(counts.active)
        };
        return (action, None);
    }
    if is_dying(&observed.job.metadata) {
        return (Action::Rest, None);
    }
    let wanted = wanted_active(observed, &counts);
    let surplus = counts.active.len().saturating_sub(wanted);
    let mut removed = to_remove(observed, &counts, surplus);
    if !removed.is_empty() {
        removed.truncate(MOST_AT_ONCE);
        return (Action::Remove(removed), None);
    }
    let waited_for = if replaces_ended_only(observed.job) {
        usize::try_from(counts.terminating).unwrap_or(0)
    } else {
        0
    };
    match wanted.saturating_sub(waited_for + counts.active.len()) {
        0 => (Action::Rest, None),
        missing => to_create(observed, &counts, missing.min(MOST_AT_ONCE)),
    }
}

/// How many Pods are to run.
fn wanted_active(observed: Observed<'_>, counts: &Counts) -> usize {
    if is_suspended(observed.spec) {
        return 0;
    }
    let parallelism = observed.spec.parallelism.unwrap_or(1);
    let wanted = match observed.spec.completions {
        // After the first success no more are started; those that run are left to finish.
        None if counts.succeeded > 0 => count(counts.active.len()),
        None => parallelism,
        Some(completions) => completions.saturating_sub(counts.succeeded).min(parallelism),
    };
    usize::try_from(wanted).unwrap_or(0)
}

/// The Pods that are too many: those whose index another one has or the Job has not, then the least dear ones.
fn to_remove(observed: Observed<'_>, counts: &Counts, surplus: usize) -> Vec<Arc<Pod>> {
    let mut left: Vec<Arc<Pod>> = counts.active.clone();
    left.sort_by_cached_key(|pod| keeping_value(pod));
    let mut removed = Vec::new();
    if let Some(end) = index_end(observed.job) {
        let mut best: BTreeMap<u32, Arc<Pod>> = BTreeMap::new();
        for pod in left {
            match valid_index(&pod, end) {
                None => removed.push(pod),
                Some(index) => removed.extend(best.insert(index, pod)),
            }
        }
        left = best.into_values().collect();
        left.sort_by_cached_key(|pod| keeping_value(pod));
    }
    let more = surplus.saturating_sub(removed.len());
    removed.extend(left.into_iter().take(more));
    removed
}

fn to_create(observed: Observed<'_>, counts: &Counts, missing: usize) -> (Action, Option<Duration>) {
    let by_index = limit_per_index(observed.job).is_some();
    if !by_index {
        let pods = observed.pods.iter().map(|pod| &**pod);
        let rest = backoff::remaining(observed.job, pods, observed.now);
        if !rest.is_zero() {
            return (Action::Rest, Some(rest));
        }
    }
    let Some(end) = index_end(observed.job) else {
        return (Action::Create(vec![NewPod::default(); missing]), None);
    };
    let mut pods = Vec::new();
    let mut again = None;
    for index in pending_indexes(observed, counts, missing, end) {
        let after = counts.to_retry.get(&index).cloned();
        let rest = after.as_ref().map_or(Duration::ZERO, |failed| {
            backoff::remaining_of_index(failed, observed.now)
        });
        if rest.is_zero() {
            let index = Some(index);
            pods.push(NewPod { index, after });
        } else {
            again = Some(again.map_or(rest, |known: Duration| known.min(rest)));
        }
    }
    let action = if pods.is_empty() {
        Action::Rest
    } else {
        Action::Create(pods)
    };
    (action, again)
}

/// The first indexes that have neither ended nor run.
fn pending_indexes(observed: Observed<'_>, counts: &Counts, missing: usize, end: u32) -> Vec<u32> {
    let mut taken = counts.succeeded_indexes.clone();
    let occupied = observed.pods.iter().filter(|pod| {
        let leaving = pod.is_dying() && !is_finished(pod);
        if leaving {
            replaces_ended_only(observed.job)
        } else {
            !is_finished(pod)
        }
    });
    let occupied = indexes_of(occupied.map(|pod| &**pod));
    taken.extend(&occupied);
    if let Some(failed) = &counts.failed_indexes {
        taken.extend(failed);
    }
    taken.first_missing(missing, end)
}
