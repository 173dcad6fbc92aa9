//! The files: journals of all writes and snapshots of all objects, in one folder that belongs to one process.
//!
//! Called by the store when it opens and by the committer; nothing else touches the disk. A write is one group at the end
//! of the newest journal. Journals that a snapshot covers stay a while as history for watches. How files are laid
//! out, checked and sealed is each a module of its own; `docs/adr/0001-own-journal.md` says why it is ours.
//!
//! **Invariant:** what is not whole is never used. **Invariant:** what was acknowledged is there, or opening fails.

mod acknowledged;
mod backup;
mod catalog;
mod condense;
mod frame;
mod header;
mod journal;
mod legacy;
mod problem;
mod record;
mod recover;
mod scan;
mod snapshot;
#[cfg(test)]
mod tests;
mod vault;
mod volume;
mod whole_file;

use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::event::Effect;
use super::health::Health;
use super::object::Stored;
use acknowledged::{Acknowledged, Point};
pub(crate) use backup::{Backup, Sealer, inspect, restore};
pub use backup::{Inspected, Restored};
pub(crate) use catalog::Catalog;
use catalog::{Limits, Listing, journal_path, snapshot_path};
use condense::{Condensing, Work};
use frame::{FrameBuffer, FrameKind};
use header::{FileKind, Header};
use journal::Journal;
pub(crate) use problem::DiskError;
use record::Draft;
pub(crate) use recover::World;
use recover::{Foreign, Recovered, Source};
pub(super) use vault::is_sealed;
use vault::{KeyError, Vault};
use volume::FileSystem;
pub(crate) use volume::Volume;

/// Held while the store is open.
const LOCK: &str = "in-use";

/// One write of a group.
pub(crate) type Write = (Effect, bool, Arc<Stored>);

/// Where a store lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// The key file.
    pub(crate) keys: PathBuf,
}

impl Place {
    /// A store in `folder`, with its key beside it: `store` and `store.key`.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut name = folder.file_name().unwrap_or_default().to_owned();
        name.push(".key");
        Self {
            folder: folder.to_owned(),
            keys: folder.with_file_name(name),
        }
    }
}

/// The open files.
pub(crate) struct Disk {
    place: Place,
    volume: Arc<dyn Volume>,
    vault: Arc<Vault>,
    store: [u8; 16],
    limits: Limits,
    journal: Journal,
    acknowledged: Acknowledged,
    catalog: Arc<Mutex<Catalog>>,
    foreign: Arc<Vec<(Vec<u8>, Foreign)>>,
    condensing: Option<Condensing>,
    /// The journal is followed by a new one at this length.
    next_journal_bytes: u64,
    frame: FrameBuffer,
    _lock: File,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens a store, or begins one where there is none.
    pub(crate) fn open(place: Place) -> Result<(Self, World), DiskError> {
        Self::open_on(place, Arc::new(FileSystem), Limits::default())
    }

    fn open_on(place: Place, volume: Arc<dyn Volume>, limits: Limits) -> Result<(Self, World), DiskError> {
        let lock = take(&place.folder)?;
        let mut listing = Listing::read(&place.folder)?;
        if listing.is_empty() && legacy::is_there(&place.folder) {
            return Err(DiskError::Legacy { path: place.folder });
        }
        let vault = keys(&place, &listing)?;
        for draft in &listing.drafts {
            std::fs::remove_file(draft).map_err(DiskError::io("remove", draft))?;
        }
        if listing.is_empty() {
            begin(&place, &*volume, &vault)?;
            listing = Listing::read(&place.folder)?;
        }
        let source = Source {
            folder: &place.folder,
            keys: &place.keys,
            vault: &vault,
            limits,
        };
        let recovered = recover::recover(&source, &listing)?;
        let (mut disk, world) = Self::resume(place, volume, vault, limits, recovered, lock)?;
        if disk.vault.has_old_keys() {
            disk.change_key(&world)?;
        }
        Ok((disk, world))
    }

    fn resume(
        place: Place,
        volume: Arc<dyn Volume>,
        vault: Vault,
        limits: Limits,
        recovered: Recovered,
        lock: File,
    ) -> Result<(Self, World), DiskError> {
        let Recovered {
            world,
            mut catalog,
            chain,
            store,
            acknowledged,
        } = recovered;
        let journal = if let (Some(segment), Some(chain)) = (catalog.segments.last(), chain) {
            Journal::resume(&*volume, &place.folder, *segment, chain)?
        } else {
            let header = header(FileKind::Journal, world.revision, 0, &vault, store);
            let journal = Journal::create(&*volume, &place.folder, &header)?;
            catalog.segments.push(journal.segment);
            journal
        };
        let acknowledged = match acknowledged {
            Some(file) => file,
            None => Acknowledged::create(&place.folder, store, point(&journal))?,
        };
        let foreign = world
            .foreign
            .iter()
            .map(|(key, foreign)| (key.clone(), foreign.clone()))
            .collect();
        let disk = Self {
            place,
            volume,
            vault: Arc::new(vault),
            store,
            limits,
            journal,
            acknowledged,
            catalog: Arc::new(Mutex::new(catalog)),
            foreign: Arc::new(foreign),
            condensing: None,
            next_journal_bytes: limits.journal_bytes,
            frame: FrameBuffer::default(),
            _lock: lock,
        };
        Ok((disk, world))
    }

    /// Writes a group of changes; returns when all of it is on disk. After an error nothing of it is kept, and the next
    /// group may be tried: a disk that was full has room again some day.
    pub(crate) fn commit(&mut self, group: &[Write]) -> Result<(), DiskError> {
        self.frame.clear();
        for (effect, created, object) in group {
            let key = object.key.encode();
            let draft = Draft {
                effect: *effect,
                created: *created,
                revision: object.revision,
                key: &key,
                json: &object.json(),
            };
            let sealed = is_sealed(object.key.resource);
            self.frame.add(|bytes| draft.encode(sealed, &self.vault, bytes));
        }
        let Some(last) = group.last().map(|(_, _, object)| object.revision) else {
            return Ok(());
        };
        let count = self.frame.count();
        let chain = self.frame.seal(FrameKind::Group, count, last, self.journal.chain);
        self.journal
            .append(self.frame.bytes(), chain, last, u64::from(count))?;
        self.note();
        if self.journal.segment.bytes >= self.next_journal_bytes {
            self.turn_page();
        }
        Ok(())
    }

    /// Whether the objects should be handed to [`Disk::condense`].
    pub(crate) fn is_condensing_due(&self) -> bool {
        self.condensing.as_ref().is_none_or(Condensing::is_done) && self.catalog.lock().is_due()
    }

    /// Begins to write a snapshot of all objects as they are after the last write.
    pub(crate) fn condense(&mut self, objects: Vec<Arc<Stored>>) {
        if let Some(done) = self.condensing.take() {
            done.join();
        }
        self.turn_page();
        self.catalog.lock().due_bytes = None;
        let work = self.work(objects);
        match Condensing::start(work) {
            Ok(condensing) => self.condensing = Some(condensing),
            Err(problem) => {
                tracing::warn!(%problem, "cannot start to write a snapshot of the object store");
                self.catalog.lock().postpone(&self.limits);
            }
        }
    }

    /// What backups are made with, for as long as the store is open.
    pub(crate) fn sealer(&self) -> Sealer {
        Sealer {
            vault: self.vault.clone(),
            store: self.store,
            foreign: self.foreign.clone(),
        }
    }

    /// How the disk fares, for as long as the store is open.
    pub(crate) fn health(&self) -> Health {
        Health::new(&self.place.folder, self.catalog.clone())
    }

    /// Ends what is under way and makes everything durable.
    pub(crate) fn close(mut self) {
        if let Some(condensing) = self.condensing.take() {
            condensing.end();
        }
        if let Err(problem) = self.journal.remove_remains() {
            tracing::warn!(
                problem = &problem as &dyn std::error::Error,
                "closing the object store"
            );
        }
        if let Err(problem) = self.acknowledged.sync() {
            tracing::warn!(%problem, "closing the object store");
        }
    }

    fn work(&self, objects: Vec<Arc<Stored>>) -> Work {
        let revision = self.journal.segment.last;
        Work {
            folder: self.place.folder.clone(),
            volume: self.volume.clone(),
            vault: self.vault.clone(),
            catalog: self.catalog.clone(),
            limits: self.limits,
            header: header(FileKind::Snapshot, revision, 0, &self.vault, self.store),
            objects,
            foreign: self.foreign.clone(),
        }
    }

    /// Goes on in a new journal. When none can be made, the old one is used on for a while.
    fn turn_page(&mut self) {
        if self.journal.segment.events == 0 {
            return;
        }
        let segment = self.journal.segment;
        let header = header(
            FileKind::Journal,
            segment.last,
            self.journal.chain,
            &self.vault,
            self.store,
        );
        match Journal::create(&*self.volume, &self.place.folder, &header) {
            Ok(journal) => {
                self.journal = journal;
                self.next_journal_bytes = self.limits.journal_bytes;
                self.note();
                self.catalog.lock().segments.push(self.journal.segment);
                condense::remove_surplus(&self.place.folder, &self.catalog, &self.limits);
            }
            Err(problem) => {
                // A file that is there and not in use would be taken for a part of the store.
                std::fs::remove_file(journal_path(&self.place.folder, segment.last)).ok();
                tracing::warn!(
                    problem = &problem as &dyn std::error::Error,
                    "cannot begin a new journal"
                );
                self.next_journal_bytes = segment.bytes + self.limits.journal_bytes;
            }
        }
    }

    /// Notes how far the journal is.
    fn note(&mut self) {
        self.acknowledged.note(point(&self.journal));
        if let Some(segment) = self.catalog.lock().segments.last_mut()
            && segment.base == self.journal.segment.base
        {
            *segment = self.journal.segment;
        }
    }

    /// Seals everything with the current key and forgets the others. History is not sealed anew, it goes.
    fn change_key(&mut self, world: &World) -> Result<(), DiskError> {
        let folder = self.place.folder.clone();
        let revision = world.revision;
        self.work(world.objects.values().cloned().collect())
            .write(&AtomicBool::new(false))?;
        let journals = Listing::read(&folder)?.journals;
        let fresh = header(
            FileKind::Journal,
            revision,
            self.journal.chain,
            &self.vault,
            self.store,
        );
        self.journal = Journal::create(&*self.volume, &folder, &fresh)?;
        for base in journals.iter().filter(|base| **base != revision) {
            let path = journal_path(&folder, *base);
            std::fs::remove_file(&path).map_err(DiskError::io("remove", &path))?;
        }
        {
            let mut catalog = self.catalog.lock();
            catalog.snapshot = revision;
            catalog.segments = vec![self.journal.segment];
        }
        self.note();
        condense::remove_surplus(&folder, &self.catalog, &self.limits);
        self.volume
            .sync_folder(&folder)
            .map_err(DiskError::io("write", &folder))?;
        let vault = self.vault.without_old_keys();
        vault.write(&self.place.keys)?;
        self.vault = Arc::new(vault);
        Ok(())
    }
}

/// Puts a new key before those in the key file; the next opening does the rest.
pub(crate) fn rotate_key(place: &Place) -> Result<(), DiskError> {
    let _lock = take(&place.folder)?;
    let Some(vault) = Vault::read(&place.keys)? else {
        return Err(KeyError::Missing {
            path: place.keys.clone(),
        }
        .into());
    };
    Ok(vault.with_new_key().write(&place.keys)?)
}

/// Takes the folder for this process, and makes it when it is not there.
fn take(folder: &Path) -> Result<File, DiskError> {
    make_folder(folder)?;
    let path = folder.join(LOCK);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(DiskError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DiskError::Locked {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(problem)) => Err(DiskError::io("lock", &path)(problem)),
    }
}

/// Makes a folder for its owner only.
fn make_folder(folder: &Path) -> Result<(), DiskError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(DiskError::io("make", folder))
}

/// The keys of a store; a new one for a new store.
fn keys(place: &Place, listing: &Listing) -> Result<Vault, DiskError> {
    match Vault::read(&place.keys)? {
        Some(vault) => Ok(vault),
        None if listing.is_empty() => Ok(Vault::create(&place.keys)?),
        None => Err(KeyError::Missing {
            path: place.keys.clone(),
        }
        .into()),
    }
}

/// Writes the first snapshot, of nothing.
fn begin(place: &Place, volume: &dyn Volume, vault: &Vault) -> Result<(), DiskError> {
    let revision = 0;
    let header = header(FileKind::Snapshot, revision, 0, vault, rand::random());
    let path = snapshot_path(&place.folder, revision);
    snapshot::write(volume, &path, &header, std::iter::empty(), vault, || false)?;
    Ok(())
}

fn point(journal: &Journal) -> Point {
    Point {
        base: journal.segment.base,
        length: journal.segment.bytes,
        revision: journal.segment.last,
    }
}

fn header(kind: FileKind, base: u64, chain: u64, vault: &Vault, store: [u8; 16]) -> Header {
    Header {
        kind,
        base,
        chain,
        key: vault.current(),
        store,
    }
}
