//! Which account is looked at next: a set of accounts to do, a set that is being done, and times to come back.
//!
//! A pure state machine, driven by the service with the time. What it promises: whatever is marked is taken at
//! least once after the mark, also when it was being done at that moment; nothing is done twice at once; a
//! failure is tried again later and later, and at once when something changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

#[cfg(test)]
mod tests;

/// Wait after the first failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Longest wait after a failure.
const LONGEST_RETRY: Duration = Duration::from_mins(5);

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue<K> {
    dirty: BTreeSet<K>,
    running: BTreeSet<K>,
    later: BTreeMap<K, Instant>,
    /// `later` by time: thousands of accounts wait for their renewal, and only the first of them is asked for.
    by_time: BTreeSet<(Instant, K)>,
    failures: BTreeMap<K, u32>,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// All is well; come back then, or only when something changes.
    Done(Option<Instant>),
    /// It has to be tried again.
    Failed,
}

impl<K: Ord + Clone> Queue<K> {
    pub(crate) fn new() -> Self {
        Self {
            dirty: BTreeSet::new(),
            running: BTreeSet::new(),
            later: BTreeMap::new(),
            by_time: BTreeSet::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Something changed about `key`.
    pub(crate) fn mark(&mut self, key: K) {
        self.no_longer_later(&key);
        self.dirty.insert(key);
    }

    fn no_longer_later(&mut self, key: &K) {
        if let Some(at) = self.later.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    /// The next to do, which then counts as being done.
    pub(crate) fn take(&mut self, now: Instant) -> Option<K> {
        while self.next_due().is_some_and(|at| at <= now)
            && let Some((_, key)) = self.by_time.pop_first()
        {
            self.later.remove(&key);
            self.dirty.insert(key);
        }
        let key = self
            .dirty
            .iter()
            .find(|key| !self.running.contains(*key))
            .cloned()?;
        self.dirty.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    /// `key` has been done. If it was marked in the meantime it is dirty, and stays so.
    pub(crate) fn finish(&mut self, key: &K, turn: Turn, now: Instant) {
        self.running.remove(key);
        let again = match turn {
            Turn::Done(again) => {
                self.failures.remove(key);
                again
            }
            Turn::Failed => {
                let failures = self.failures.entry(key.clone()).or_default();
                let wait = FIRST_RETRY
                    .saturating_mul(1 << (*failures).min(16))
                    .min(LONGEST_RETRY);
                *failures = failures.saturating_add(1);
                Some(now + wait)
            }
        };
        if let Some(at) = again
            && !self.dirty.contains(key)
        {
            // One that is being done does not wait; but nothing here relies on it.
            self.no_longer_later(key);
            self.later.insert(key.clone(), at);
            self.by_time.insert((at, key.clone()));
        }
    }

    /// Forgets an account that is gone.
    pub(crate) fn forget(&mut self, key: &K) {
        self.dirty.remove(key);
        self.no_longer_later(key);
        self.failures.remove(key);
    }

    /// How many are to be done, are being done, and wait for their time.
    pub(crate) fn lengths(&self) -> (usize, usize, usize) {
        (self.dirty.len(), self.running.len(), self.later.len())
    }

    /// When the next account that waits for its time is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }
}
