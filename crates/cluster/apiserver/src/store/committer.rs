//! The one writer: drains the queue, writes the group to disk, then makes it visible and answers.
//!
//! A thread of its own, because it waits for the disk. It ends when the queue is closed and empty.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::disk::{Disk, DiskError, Write};
use super::event::{Effect, Event, word};
use super::health::Health;
use super::key::Key;
use super::ledger::Ledger;
use super::memory::Memory;
use super::object::Stored;
use super::packer::Packer;
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
    pub(super) packer: Packer,
    pub(crate) visible: tokio::sync::watch::Sender<u64>,
    pub(crate) health: Arc<Health>,
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
            if self.disk.is_condensing_due() {
                let objects = self.memory.read().objects();
                self.disk.condense(objects);
            }
        }
        self.disk.close();
    }

    fn write(&mut self, group: Vec<Entry>) {
        let mut waiters = Vec::with_capacity(group.len());
        let mut writes = Vec::with_capacity(group.len());
        {
            let memory = self.memory.read();
            for entry in group {
                let there = memory.get(&entry.key).is_some();
                let created = entry.effect == Effect::Put && !there;
                let word = word(entry.effect, there);
                let stored = Arc::new(Stored::stamp(entry.key, entry.revision, entry.value, word));
                writes.push((entry.effect, created, stored));
                waiters.push(entry.done);
            }
        }
        let last = writes.last().map_or(0, |(_, _, stored)| stored.revision);
        let begun = Instant::now();
        match self.disk.commit(&writes) {
            Ok(()) => {
                if self.health.written(begun.elapsed()) {
                    tracing::info!("objects can be written again");
                }
                self.publish(writes, waiters, last);
            }
            Err(problem) => self.refuse(&problem, &writes, waiters, last),
        }
    }

    fn refuse(
        &self,
        problem: &DiskError,
        writes: &[Write],
        waiters: Vec<oneshot::Sender<Outcome>>,
        last: u64,
    ) {
        // A full disk is reported once, not with every write.
        if !self.health.refused() {
            tracing::error!(
                problem = problem as &dyn std::error::Error,
                "writing objects failed; reads go on, and writes are tried anew"
            );
        }
        self.settle(writes);
        // Who waits for these revisions must not wait for ever.
        self.visible.send_replace(last);
        let refusal = if problem.is_full() {
            CommitError::Full
        } else {
            CommitError::Disk
        };
        for waiter in waiters {
            // A writer that went away does not need its answer.
            waiter.send(Err(refusal)).ok();
        }
    }

    fn publish(&mut self, writes: Vec<Write>, waiters: Vec<oneshot::Sender<Outcome>>, last: u64) {
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
            // Before anybody can see the writes: who reads or watches that a definition is established, or that rights
            // were taken away, must find it so.
            for event in &events {
                self.observer.applied(event);
            }
        }
        self.settle(&writes);
        self.visible.send_replace(last);
        for ((_, _, stored), waiter) in writes.iter().zip(waiters) {
            waiter.send(Ok(stored.clone())).ok();
        }
        // Who waits has been answered: this takes time.
        drop(events);
        for (_, _, stored) in writes {
            self.packer.written(stored);
        }
    }

    fn settle(&self, writes: &[Write]) {
        let mut ledger = self.ledger.lock();
        for (_, _, stored) in writes {
            ledger.settle(&stored.key, stored.revision);
        }
    }
}
