//! Who writes next: checks a change against the latest accepted state and gives it its revision.
//!
//! The check and the revision are one short critical section; waiting for the disk is not part of it, so that
//! writers of different objects share a flush.

use std::collections::HashMap;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::CommitError;
use super::committer::Entry;
use super::event::Effect;
use super::key::Key;
use super::memory::Memory;

/// What must be true of an object for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It does not exist.
    Absent,
    /// It exists at this revision.
    Revision(u64),
}

/// One write.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) expected: Expected,
    pub(crate) effect: Effect,
    /// The new state, or the last one of an object that goes.
    pub(crate) value: Value,
    /// Other objects that must still be at these revisions (a namespace, for what is created in it).
    pub(crate) guards: Vec<(Key, u64)>,
}

/// Writes accepted and not yet visible, and the next revision.
#[derive(Debug)]
pub(crate) struct Ledger {
    last_revision: u64,
    pending: HashMap<Key, Pending>,
    queue: Option<mpsc::UnboundedSender<Entry>>,
}

#[derive(Debug)]
struct Pending {
    revision: u64,
}

/// Why a change was not accepted.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// For good.
    Now(CommitError),
    /// The object is being written; ask again when this revision is visible.
    After(u64),
}

impl Ledger {
    /// A ledger that continues after `last_revision`.
    pub(crate) fn new(last_revision: u64, queue: mpsc::UnboundedSender<Entry>) -> Self {
        Self {
            last_revision,
            pending: HashMap::new(),
            queue: Some(queue),
        }
    }

    /// Accepts a change, or says why not. The receiver hears when it is durable and visible.
    pub(crate) fn accept(
        &mut self,
        change: Change,
        visible: &Memory,
    ) -> Result<oneshot::Receiver<super::Outcome>, Refusal> {
        self.check(&change.key, change.expected, visible)?;
        for (guard, revision) in &change.guards {
            self.check(guard, Expected::Revision(*revision), visible)?;
        }
        let Some(queue) = &self.queue else {
            return Err(Refusal::Now(CommitError::Closed));
        };
        let revision = self.last_revision + 1;
        let (done, outcome) = oneshot::channel();
        let key = change.key.clone();
        let entry = Entry {
            key: change.key,
            effect: change.effect,
            value: change.value,
            revision,
            done,
        };
        if queue.send(entry).is_err() {
            return Err(Refusal::Now(CommitError::Closed));
        }
        self.last_revision = revision;
        self.pending.insert(key, Pending { revision });
        Ok(outcome)
    }

    /// A write has become visible or has failed.
    pub(crate) fn settle(&mut self, key: &Key, revision: u64) {
        if self
            .pending
            .get(key)
            .is_some_and(|pending| pending.revision == revision)
        {
            self.pending.remove(key);
        }
    }

    /// Accepts nothing more; the committer ends when it has written what is queued.
    pub(crate) fn close(&mut self) {
        self.queue = None;
    }

    fn check(&self, key: &Key, expected: Expected, visible: &Memory) -> Result<(), Refusal> {
        if let Some(pending) = self.pending.get(key) {
            return Err(Refusal::After(pending.revision));
        }
        let found = visible.get(key).map(|object| object.revision);
        match (expected, found) {
            (Expected::Absent, None) => Ok(()),
            (Expected::Absent, Some(_)) => Err(Refusal::Now(CommitError::Exists)),
            (Expected::Revision(wanted), Some(found)) if wanted == found => Ok(()),
            (Expected::Revision(_), _) => Err(Refusal::Now(CommitError::Changed)),
        }
    }
}
