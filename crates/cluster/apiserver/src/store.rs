//! All objects: in memory for reading, on disk before any write is answered, in one order of revisions.
//!
//! Called by the verbs, the watches and the access index. It knows keys, revisions and JSON, and nothing of what an
//! object means.

mod collection;
mod committer;
pub(crate) mod disk;
mod event;
mod health;
mod key;
mod ledger;
mod memory;
mod object;
mod packed;
mod packer;
mod recent;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, watch};

use collection::Collection;
pub(crate) use collection::{Compacted, Place};
use committer::Committer;
use disk::{Backup, Disk, Sealer, World};
pub(crate) use disk::{DiskError, Place as DiskPlace};
pub(crate) use event::{Effect, Event, Previous, watch_line};
use health::Health;
pub(crate) use key::{Key, Resource};
pub(crate) use ledger::{Change, Expected};
use ledger::{Ledger, Refusal};
use memory::Memory;
pub(crate) use object::{Stored, stamp_revision};

/// Why a write was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommitError {
    /// An object that should not be there is.
    #[error("the object exists already")]
    Exists,
    /// The object, or one that the write depends on, is not at the expected revision.
    #[error("the object has changed")]
    Changed,
    /// The disk refused; nothing of the write is kept.
    #[error(
        "the object store cannot write: the log of the API says why. Reads go on, and writes are tried anew"
    )]
    Disk,
    /// As [`CommitError::Disk`], and for want of space.
    #[error(
        "the object store cannot write: no space is left on its disk. Reads go on, and writes work again when there is space"
    )]
    Full,
    /// The store is shutting down.
    #[error("the object store is closed")]
    Closed,
}

/// What became of a write.
pub(crate) type Outcome = Result<Arc<Stored>, CommitError>;

/// Sees each event when it is on disk, before anybody who reads or watches can, and before its writer is answered.
pub(crate) trait Observer: Send + Sync {
    /// Called in the order of revisions, from one thread. Readers wait meanwhile: it must be quick, must not ask the store,
    /// and must not wait for a lock whose holder does.
    fn applied(&self, event: &Event);
}

/// A page of a listing.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The revision that the listing is of.
    pub(crate) revision: u64,
    /// The latest change of any object of the resource; while it is the same, the objects are.
    pub(crate) changed: u64,
    pub(crate) objects: Vec<Arc<Stored>>,
}

/// The store.
pub(crate) struct Store {
    memory: Arc<RwLock<Memory>>,
    ledger: Arc<Mutex<Ledger>>,
    visible: watch::Receiver<u64>,
    committer: Mutex<Option<JoinHandle<()>>>,
    sealer: Sealer,
    health: Arc<Health>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in `folder`, reads all objects, and shows each to `load`.
    pub(crate) fn open(
        folder: &Path,
        observer: Arc<dyn Observer>,
        mut load: impl FnMut(&Stored),
    ) -> Result<Self, DiskError> {
        let (disk, world) = Disk::open(DiskPlace::of(folder))?;
        Self::start(disk, world, observer, &mut load)
    }

    fn start(
        disk: Disk,
        mut world: World,
        observer: Arc<dyn Observer>,
        load: &mut dyn FnMut(&Stored),
    ) -> Result<Self, DiskError> {
        let last = world.revision;
        let sealer = disk.sealer();
        let packer = std::mem::take(&mut world.packer);
        let health = Arc::new(disk.health());
        let memory = remember(world, load);
        let memory = Arc::new(RwLock::new(memory));
        let (sender, queue) = mpsc::unbounded_channel();
        let ledger = Arc::new(Mutex::new(Ledger::new(last, sender)));
        let (visible_sender, visible) = watch::channel(last);
        let committer = Committer {
            queue,
            disk,
            memory: memory.clone(),
            ledger: ledger.clone(),
            observer,
            packer,
            visible: visible_sender,
            health: health.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("api-committer".to_owned())
            .spawn(move || committer.run())
            .map_err(DiskError::io(
                "start the thread that writes to",
                Path::new("the disk"),
            ))?;
        Ok(Self {
            memory,
            ledger,
            visible,
            committer: Mutex::new(Some(thread)),
            sealer,
            health,
        })
    }

    /// The latest visible revision.
    pub(crate) fn revision(&self) -> u64 {
        self.memory.read().revision
    }

    /// How the disk fares.
    pub(crate) fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// One object.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Stored>> {
        self.memory.read().get(key).cloned()
    }

    /// All objects at the latest visible revision, as a backup.
    pub(crate) fn backup(&self) -> Backup {
        let memory = self.memory.read();
        self.sealer.backup(memory.revision, memory.objects())
    }

    /// The current objects of a resource.
    pub(crate) fn list(&self, resource: Resource, namespace: Option<&str>) -> Listing {
        let memory = self.memory.read();
        let found = memory.collection(resource);
        Listing {
            revision: memory.revision,
            changed: found.map_or(0, Collection::changed),
            objects: found.map(|found| found.list(namespace, None)).unwrap_or_default(),
        }
    }

    /// The latest change of any object of a resource.
    pub(crate) fn changed(&self, resource: Resource) -> u64 {
        let memory = self.memory.read();
        memory.collection(resource).map_or(0, Collection::changed)
    }

    /// The objects after `after`, as they are now or as they were at a revision.
    pub(crate) fn list_page(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        after: Option<&Place>,
        at: Option<u64>,
    ) -> Result<Listing, Compacted> {
        let memory = self.memory.read();
        let revision = at.unwrap_or(memory.revision);
        let objects = match (memory.collection(resource), at) {
            (None, _) => Vec::new(),
            (Some(found), None) => found.list(namespace, after),
            (Some(found), Some(at)) => found.list_at(at, namespace, after)?,
        };
        Ok(Listing {
            revision,
            changed: memory.collection(resource).map_or(0, Collection::changed),
            objects,
        })
    }

    /// Events of a resource after a revision, and the revision up to which these are all.
    pub(crate) fn events_after(
        &self,
        resource: Resource,
        revision: u64,
    ) -> Result<(Vec<Arc<Event>>, u64), Compacted> {
        let memory = self.memory.read();
        let events = match memory.collection(resource) {
            Some(found) => found.events_after(revision)?,
            None => Vec::new(),
        };
        Ok((events, memory.revision))
    }

    /// Makes a place for the objects of a resource that is new, so that watches can begin before the first object.
    pub(crate) fn make_room(&self, resource: Resource) {
        if self.memory.read().collection(resource).is_none() {
            self.memory.write().collection_mut(resource);
        }
    }

    /// Some of the events of a resource after a revision, of about so many bytes of JSON and at least one, and the
    /// revision up to which these are all.
    pub(crate) fn some_events_after(
        &self,
        resource: Resource,
        revision: u64,
        bytes: usize,
    ) -> Result<(Vec<Arc<Event>>, u64), Compacted> {
        let memory = self.memory.read();
        let Some(found) = memory.collection(resource) else {
            return Ok((Vec::new(), memory.revision));
        };
        let (events, all) = found.some_events_after(revision, bytes)?;
        let until = match events.last() {
            Some(last) if !all => last.revision(),
            _ => memory.revision,
        };
        Ok((events, until))
    }

    /// Wakes at each event of a resource; `None` when the resource is not ours.
    pub(crate) fn subscribe(&self, resource: Resource) -> Option<watch::Receiver<u64>> {
        self.memory.read().collection(resource).map(Collection::subscribe)
    }

    /// Makes a change; returns when it is on disk and visible.
    pub(crate) async fn commit(&self, change: Change) -> Outcome {
        let accepted = self.ledger.lock().accept(change, &self.memory.read());
        match accepted {
            Ok(outcome) => outcome.await.unwrap_or(Err(CommitError::Closed)),
            Err(Refusal::Now(problem)) => Err(problem),
            Err(Refusal::After(revision)) => {
                // What the caller decided on is about to be history: let it see the new state before it decides again.
                self.wait_for(revision).await;
                Err(CommitError::Changed)
            }
        }
    }

    /// Waits until a revision is visible, or the store closes.
    pub(crate) async fn wait_for(&self, revision: u64) {
        self.visible
            .clone()
            .wait_for(|visible| *visible >= revision)
            .await
            .ok();
    }

    /// Accepts no more writes, and returns when the accepted ones are on disk. Blocks.
    pub(crate) fn close(&self) {
        self.ledger.lock().close();
        let thread = self.committer.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the committer of the object store ended badly");
        }
    }
}

/// Puts what the disk held into memory.
fn remember(world: World, load: &mut dyn FnMut(&Stored)) -> Memory {
    let mut memory = Memory::new(world.floor);
    for object in world.objects.into_values() {
        load(&object);
        memory.collection_mut(object.key.resource).load(object);
    }
    for logged in world.log {
        let previous = if logged.created {
            Previous::Nothing
        } else {
            Previous::Unknown
        };
        let resource = logged.object.key.resource;
        let event = Arc::new(Event::new(logged.effect, logged.object, previous));
        memory.collection_mut(resource).remember(event);
    }
    memory.revision = world.revision;
    memory
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}
