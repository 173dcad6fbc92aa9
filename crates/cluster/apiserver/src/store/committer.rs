//! The one writer: drains the queue, writes the group to disk, then makes it visible and answers.
//!
//! A thread of its own, because it waits for the disk. It ends when the queue is closed and empty.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::disk::Disk;
use super::event::{Effect, Event};
use super::key::Key;
use super::ledger::Ledger;
use super::log_bounds::LogBounds;
use super::memory::Memory;
use super::object::Stored;
use super::{CommitError, Observer, Outcome};

/// Writes per flush at most: bounds the memory of a group and the wait of its first writer.
const GROUP_WRITES: usize = 512;

/// An accepted change on its way to the disk.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) effect: Effect,
    pub(crate) value: Value,
    pub(crate) revision: u64,
    pub(crate) done: oneshot::Sender<Outcome>,
}

/// What the committer works on.
pub(crate) struct Committer {
    pub(crate) queue: mpsc::UnboundedReceiver<Entry>,
    pub(crate) disk: Disk,
    pub(crate) memory: Arc<RwLock<Memory>>,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) visible: tokio::sync::watch::Sender<u64>,
    /// What the log on disk holds.
    pub(crate) log: LogBounds,
}

impl Committer {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let mut group = Vec::new();
        while let Some(first) = self.queue.blocking_recv() {
            group.push(first);
            while group.len() < GROUP_WRITES
                && let Ok(next) = self.queue.try_recv()
            {
                group.push(next);
            }
            self.write(std::mem::take(&mut group));
        }
    }

    fn write(&mut self, group: Vec<Entry>) {
        let mut waiters = Vec::with_capacity(group.len());
        let mut writes = Vec::with_capacity(group.len());
        {
            let memory = self.memory.read();
            for entry in group {
                let created = entry.effect == Effect::Put && memory.get(&entry.key).is_none();
                let stored = Arc::new(Stored::stamp(entry.key, entry.revision, entry.value));
                writes.push((entry.effect, created, stored));
                waiters.push(entry.done);
            }
        }
        let last = writes.last().map_or(0, |(_, _, stored)| stored.revision);
        for (_, _, stored) in &writes {
            self.log.add(stored.revision, stored.json.len());
        }
        // When the write fails, what it would have forgotten stays on disk: too much log does no harm.
        match self.disk.commit(&writes, &self.log.take_surplus()) {
            Ok(()) => self.publish(writes, waiters, last),
            Err(problem) => {
                tracing::error!(
                    problem = &problem as &dyn std::error::Error,
                    "writing objects failed"
                );
                self.settle(&writes);
                // Who waits for these revisions must not wait for ever.
                self.visible.send_replace(last);
                for waiter in waiters {
                    // A writer that went away does not need its answer.
                    waiter.send(Err(CommitError::Disk)).ok();
                }
            }
        }
    }

    fn publish(
        &self,
        writes: Vec<(Effect, bool, Arc<Stored>)>,
        waiters: Vec<oneshot::Sender<Outcome>>,
        last: u64,
    ) {
        let mut events: Vec<Arc<Event>> = Vec::with_capacity(writes.len());
        {
            let mut memory = self.memory.write();
            // First, so that a watch that is woken by an event finds its revision.
            memory.revision = last;
            for (effect, _, stored) in &writes {
                events.push(
                    memory
                        .collection_mut(stored.key.resource)
                        .apply(*effect, stored.clone()),
                );
            }
        }
        for event in &events {
            self.observer.applied(event);
        }
        self.settle(&writes);
        self.visible.send_replace(last);
        for ((_, _, stored), waiter) in writes.into_iter().zip(waiters) {
            waiter.send(Ok(stored)).ok();
        }
    }

    fn settle(&self, writes: &[(Effect, bool, Arc<Stored>)]) {
        let mut ledger = self.ledger.lock();
        for (_, _, stored) in writes {
            ledger.settle(&stored.key, stored.revision);
        }
    }
}
