//! The keyed work queue of one controller: a key is queued once however often it is added, is never worked on twice at
//! the same time, and comes back after a delay or, when its work failed, after a growing pause. Made by `controller.rs`;
//! it knows nothing of what a key stands for.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// First pause after a failure: long enough for a watch event to arrive, too short for anybody to notice.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause between attempts: what a maintainer waits at most after the cause of a refusal has gone.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A queue of keys; all methods but [`Queue::next`] return at once.
pub(crate) struct Queue<K> {
    inner: Mutex<Inner<K>>,
    wake: Notify,
}

struct Inner<K> {
    ready: VecDeque<K>,
    queued: HashSet<K>,
    working: HashSet<K>,
    again: HashSet<K>,
    later: HashMap<K, Due>,
    /// The keys of `later`, the first that is due first.
    in_time: BTreeMap<Due, K>,
    /// Tells keys apart that are due at the same time.
    turn: u64,
    failures: HashMap<K, u32>,
    adds: u64,
    retries: u64,
}

/// What has become of a queue's keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Keys that wait for their turn now.
    pub(crate) depth: usize,
    /// Keys that were queued.
    pub(crate) adds: u64,
    /// Keys whose work failed.
    pub(crate) retries: u64,
}

/// When a key is due, and a number that no other has.
type Due = (Instant, u64);

impl<K: Clone + Eq + Hash> Queue<K> {
    /// An empty queue.
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                ready: VecDeque::new(),
                queued: HashSet::new(),
                working: HashSet::new(),
                again: HashSet::new(),
                later: HashMap::new(),
                in_time: BTreeMap::new(),
                turn: 0,
                failures: HashMap::new(),
                adds: 0,
                retries: 0,
            }),
            wake: Notify::new(),
        }
    }

    /// Asks for `key` to be worked on as soon as possible; again, if it is being worked on right now.
    pub(crate) fn add(&self, key: K) {
        self.inner.lock().add(key);
        self.wake.notify_one();
    }

    /// Asks for `key` to be worked on after `delay`, unless something asks for it sooner.
    pub(crate) fn add_after(&self, key: K, delay: Duration) {
        self.inner.lock().add_at(key, Instant::now() + delay);
        self.wake.notify_one();
    }

    /// Waits for a key; the caller owes a [`Queue::done`] or [`Queue::failed`] for it. For one caller at a time.
    pub(crate) async fn next(&self) -> K {
        loop {
            let wake_at = {
                let mut inner = self.inner.lock();
                inner.promote(Instant::now());
                if let Some(key) = inner.ready.pop_front() {
                    inner.queued.remove(&key);
                    inner.working.insert(key.clone());
                    return key;
                }
                inner.in_time.keys().next().map(|due| due.0)
            };
            match wake_at {
                Some(at) => tokio::select! {
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep_until(at) => {}
                },
                None => self.wake.notified().await,
            }
        }
    }

    /// What has become of its keys.
    pub(crate) fn counts(&self) -> Counts {
        let inner = self.inner.lock();
        Counts {
            depth: inner.ready.len(),
            adds: inner.adds,
            retries: inner.retries,
        }
    }

    /// The work on `key` succeeded.
    pub(crate) fn done(&self, key: &K) {
        let mut inner = self.inner.lock();
        inner.failures.remove(key);
        inner.finish(key);
        drop(inner);
        self.wake.notify_one();
    }

    /// The work on `key` failed: it comes back after a pause that doubles each time. Returns the pause.
    pub(crate) fn failed(&self, key: &K) -> Duration {
        let mut inner = self.inner.lock();
        inner.retries += 1;
        let count = inner.failures.entry(key.clone()).or_insert(0);
        *count = count.saturating_add(1);
        let pause = pause_after(*count);
        inner.finish(key);
        inner.add_at(key.clone(), Instant::now() + pause);
        drop(inner);
        self.wake.notify_one();
        pause
    }
}

impl<K: Clone + Eq + Hash> Inner<K> {
    fn add(&mut self, key: K) {
        self.forget_time(&key);
        if self.working.contains(&key) {
            self.again.insert(key);
        } else if self.queued.insert(key.clone()) {
            self.adds += 1;
            self.ready.push_back(key);
        }
    }

    fn add_at(&mut self, key: K, at: Instant) {
        if self.queued.contains(&key) || self.again.contains(&key) {
            return;
        }
        if self.later.get(&key).is_some_and(|due| due.0 <= at) {
            return;
        }
        self.forget_time(&key);
        self.turn += 1;
        let due = (at, self.turn);
        self.later.insert(key.clone(), due);
        self.in_time.insert(due, key);
    }

    fn forget_time(&mut self, key: &K) {
        if let Some(due) = self.later.remove(key) {
            self.in_time.remove(&due);
        }
    }

    fn promote(&mut self, now: Instant) {
        while let Some(first) = self.in_time.first_entry().filter(|first| first.key().0 <= now) {
            let key = first.get().clone();
            self.add(key);
        }
    }

    fn finish(&mut self, key: &K) {
        self.working.remove(key);
        if self.again.remove(key) {
            self.add(key.clone());
        }
    }
}

/// The pause after the `failures`th failure in a row.
fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests;
