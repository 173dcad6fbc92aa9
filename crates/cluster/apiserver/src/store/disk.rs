//! The files: current objects by key, and the log of latest events by revision, in one fjall database.
//!
//! Called by the store when it opens and by the committer; nothing else touches the disk.

use std::path::Path;

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::event::Effect;
use super::key::Key;
use super::object::Stored;

/// Block cache in bytes: objects are served from memory, the disk is read when opening.
const CACHE_BYTES: u64 = 4 << 20;
/// Journal size in bytes at which old parts are written out and dropped; fjall's own minimum.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Size in bytes of what is collected in memory before it becomes a table on disk.
const MEMTABLE_BYTES: u64 = 8 << 20;
const FORMAT_KEY: &str = "format";
/// The layout of keys and values in this file; a different one is refused, never guessed at.
const FORMAT: &[u8] = b"toolforge-objects-1";

const PUT: u8 = b'P';
const CREATED: u8 = b'C';
const REMOVED: u8 = b'R';

/// The database could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// fjall's own report.
    #[error("the object store failed")]
    Database(#[from] fjall::Error),
    /// The folder holds something else, or a newer layout.
    #[error(
        "the object store has layout {found:?}, this program knows {FORMAT:?}: use the program that wrote it"
    )]
    Format {
        /// What the file says.
        found: Vec<u8>,
    },
    /// A value that passes the checksums and cannot be ours.
    #[error("the object store has an unreadable record under key {key:?}")]
    Damaged {
        /// Its key.
        key: Vec<u8>,
    },
}

/// An event as the log keeps it.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) effect: Effect,
    /// Whether the event created its object.
    pub(crate) created: bool,
    pub(crate) object: Stored,
}

/// The open database.
pub(crate) struct Disk {
    database: Database,
    objects: Keyspace,
    log: Keyspace,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens or creates the database in `folder`.
    pub(crate) fn open(folder: &Path) -> Result<Self, DiskError> {
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let meta = database.keyspace("meta", options)?;
        match meta.get(FORMAT_KEY)? {
            None => meta.insert(FORMAT_KEY, FORMAT)?,
            Some(found) if &*found == FORMAT => {}
            Some(found) => {
                return Err(DiskError::Format {
                    found: found.to_vec(),
                });
            }
        }
        let objects = database.keyspace("objects", options)?;
        let log = database.keyspace("log", options)?;
        Ok(Self {
            database,
            objects,
            log,
        })
    }

    /// All current objects, unparsed.
    pub(crate) fn objects(&self) -> Result<Vec<Stored>, DiskError> {
        let mut found = Vec::new();
        for guard in self.objects.iter() {
            let (key, value) = guard.into_inner()?;
            let Some(place) = Key::decode(&key) else {
                tracing::warn!(key = %String::from_utf8_lossy(&key), "stored object of an unknown kind is kept and not served");
                continue;
            };
            let Some((revision, json)) = value.split_first_chunk::<8>() else {
                return Err(DiskError::Damaged { key: key.to_vec() });
            };
            found.push(Stored::unparsed(
                place,
                u64::from_be_bytes(*revision),
                Bytes::copy_from_slice(json),
            ));
        }
        Ok(found)
    }

    /// The events of the log, oldest first.
    pub(crate) fn log(&self) -> Result<Vec<Logged>, DiskError> {
        let mut found = Vec::new();
        for guard in self.log.iter() {
            let (key, value) = guard.into_inner()?;
            let damaged = || DiskError::Damaged { key: key.to_vec() };
            let revision = key
                .first_chunk::<8>()
                .map(|bytes| u64::from_be_bytes(*bytes))
                .ok_or_else(damaged)?;
            let (tag, rest) = value.split_first().ok_or_else(damaged)?;
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
            let (place, json) = rest
                .split_at_checked(u32::from_be_bytes(*length) as usize)
                .ok_or_else(damaged)?;
            let Some(place) = Key::decode(place) else { continue };
            let (effect, created) = match *tag {
                PUT => (Effect::Put, false),
                CREATED => (Effect::Put, true),
                REMOVED => (Effect::Removed, false),
                _ => return Err(damaged()),
            };
            let object = Stored::unparsed(place, revision, Bytes::copy_from_slice(json));
            found.push(Logged {
                effect,
                created,
                object,
            });
        }
        Ok(found)
    }

    /// Writes a group of changes and forgets some revisions of the log; returns when all of it is on disk.
    pub(crate) fn commit(
        &self,
        group: &[(Effect, bool, std::sync::Arc<Stored>)],
        forget: &[u64],
    ) -> Result<(), DiskError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (effect, created, object) in group {
            let key = object.key.encode();
            let tag = match (effect, created) {
                (Effect::Put, false) => PUT,
                (Effect::Put, true) => CREATED,
                (Effect::Removed, _) => REMOVED,
            };
            batch.insert(
                &self.log,
                object.revision.to_be_bytes(),
                log_value(tag, &key, &object.json),
            );
            match effect {
                Effect::Put => {
                    let mut value = Vec::with_capacity(8 + object.json.len());
                    value.extend_from_slice(&object.revision.to_be_bytes());
                    value.extend_from_slice(&object.json);
                    batch.insert(&self.objects, key, value);
                }
                Effect::Removed => batch.remove(&self.objects, key),
            }
        }
        for revision in forget {
            batch.remove(&self.log, revision.to_be_bytes());
        }
        batch.commit()?;
        Ok(())
    }
}

fn log_value(tag: u8, key: &[u8], json: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(5 + key.len() + json.len());
    value.push(tag);
    value.extend_from_slice(&u32::try_from(key.len()).expect("keys are short").to_be_bytes());
    value.extend_from_slice(key);
    value.extend_from_slice(json);
    value
}
