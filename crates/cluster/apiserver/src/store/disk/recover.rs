//! From files to objects: the newest snapshot, and every journal on top of it.
//!
//! Everything is checked before anything is believed: each file follows on the one before, nothing that was
//! acknowledged is missing, and only what no write can have acknowledged may be torn.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::super::event::Effect;
use super::super::key::Key;
use super::super::object::Stored;
use super::super::packer::Packer;
use super::acknowledged::{Acknowledged, Point};
use super::catalog::{Catalog, Limits, Listing, Segment, journal_path, snapshot_path};
use super::frame::FrameKind;
use super::header::{FileKind, HEADER_BYTES};
use super::problem::DiskError;
use super::record::Record;
use super::scan::{Fault, Scanner};
use super::snapshot::Item;
use super::vault::Vault;

/// An event as the journals keep it.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) effect: Effect,
    /// Whether the event created its object.
    pub(crate) created: bool,
    pub(crate) object: Arc<Stored>,
}

/// An object of a kind that this program does not know; kept as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) revision: u64,
    pub(crate) json: Bytes,
    pub(crate) sealed: bool,
}

impl Foreign {
    /// As it goes into a snapshot.
    pub(crate) fn item<'a>(&'a self, key: &'a [u8]) -> Item<'a> {
        Item {
            key,
            revision: self.revision,
            json: self.json.clone(),
            sealed: self.sealed,
        }
    }
}

/// What the files say.
#[derive(Debug)]
pub(crate) struct World {
    /// The last revision.
    pub(crate) revision: u64,
    /// History is complete after this revision.
    pub(crate) floor: u64,
    pub(crate) objects: HashMap<Key, Arc<Stored>>,
    /// Objects of unknown kinds, by encoded key.
    pub(crate) foreign: BTreeMap<Vec<u8>, Foreign>,
    /// Latest events, oldest first.
    pub(crate) log: VecDeque<Logged>,
    log_bytes: u64,
    /// What has packed the objects, and knows what they are like.
    pub(in super::super) packer: Packer,
}

/// What there is to go on with.
pub(crate) struct Recovered {
    pub(crate) world: World,
    pub(crate) catalog: Catalog,
    /// The checksum at the end of the last journal; `None` when there is no journal.
    pub(crate) chain: Option<u64>,
    pub(crate) store: [u8; 16],
    pub(crate) acknowledged: Option<Acknowledged>,
}

/// Where to read, and with what.
pub(crate) struct Source<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) keys: &'a Path,
    pub(crate) vault: &'a Vault,
    pub(crate) limits: Limits,
}

impl World {
    fn new(floor: u64) -> Self {
        Self {
            revision: floor,
            floor,
            objects: HashMap::new(),
            foreign: BTreeMap::new(),
            log: VecDeque::new(),
            log_bytes: 0,
            packer: Packer::default(),
        }
    }

    /// Makes the change of a record; gives its object, where the kind is known.
    fn apply(&mut self, record: &Record<'_>, json: Bytes) -> Option<Arc<Stored>> {
        let Some(key) = Key::decode(record.key) else {
            self.apply_foreign(record, json);
            return None;
        };
        let stored = self.packed(key, record.revision, json);
        match record.effect {
            Effect::Put => self.objects.insert(stored.key.clone(), stored.clone()),
            Effect::Removed => self.objects.remove(&stored.key),
        };
        Some(stored)
    }

    fn apply_foreign(&mut self, record: &Record<'_>, json: Bytes) {
        if record.effect == Effect::Removed {
            self.foreign.remove(record.key);
        } else {
            let foreign = Foreign {
                revision: record.revision,
                json,
                sealed: record.sealed,
            };
            self.foreign.insert(record.key.to_vec(), foreign);
        }
    }

    /// The object of a record that changes nothing any more.
    fn known(&mut self, record: &Record<'_>, json: Bytes) -> Option<Arc<Stored>> {
        let key = Key::decode(record.key)?;
        match self.objects.get(&key) {
            Some(object) if object.revision == record.revision => Some(object.clone()),
            _ => Some(self.packed(key, record.revision, json)),
        }
    }

    fn packed(&mut self, key: Key, revision: u64, json: Bytes) -> Arc<Stored> {
        let stored = Stored::unparsed(key, revision, json);
        self.packer.pack(&stored);
        Arc::new(stored)
    }

    /// Remembers an object of a record as an event, and forgets the oldest of too many.
    fn remember(&mut self, record: &Record<'_>, object: Arc<Stored>, limits: &Limits) {
        self.log_bytes += object.length() as u64;
        self.log.push_back(Logged {
            effect: record.effect,
            created: record.created,
            object,
        });
        while (self.log.len() as u64 > limits.history_events || self.log_bytes > limits.history_bytes)
            && let Some(forgotten) = self.log.pop_front()
        {
            self.log_bytes -= forgotten.object.length() as u64;
            self.floor = forgotten.object.revision;
        }
    }
}

/// Reads the files of a store that is there.
pub(crate) fn recover(source: &Source<'_>, listing: &Listing) -> Result<Recovered, DiskError> {
    let Some(newest) = listing.snapshots.last().copied() else {
        let first = listing.journals.first().copied().unwrap_or_default();
        return Err(DiskError::Missing {
            path: source.folder.join("*.snapshot"),
            why: if first == 0 {
                "each store has one"
            } else {
                "its journals continue one"
            },
        });
    };
    let mut world = World::new(newest);
    let (store, snapshot_bytes) = read_snapshot(source, newest, &mut world)?;
    let acknowledged = Acknowledged::read(source.folder, store)?;
    let point = acknowledged.as_ref().map(|(_, point)| *point);
    let mut catalog = Catalog {
        snapshot: newest,
        snapshot_bytes,
        segments: Vec::new(),
        due_bytes: None,
    };
    let journals = begun(source, listing, point)?;
    check_beginning(source, newest, &journals, point)?;
    if let Some(first) = journals.first() {
        world.floor = *first;
    }
    let mut chain = None;
    for (index, base) in journals.iter().enumerate() {
        let scanner = open_journal(source, *base, store)?;
        if let (Some(before), Some(expected)) = (catalog.segments.last(), chain)
            && (before.last != *base || scanner.header.chain != expected)
        {
            let path = journal_path(source.folder, before.base);
            return Err(DiskError::damaged(
                &path,
                before.bytes,
                "the next journal does not follow on its end",
            ));
        }
        let is_last = index + 1 == journals.len();
        let least = point
            .filter(|point| point.base == *base)
            .map(|point| point.length);
        let (segment, end) = read_journal(source, scanner, newest, &mut world, is_last, least)?;
        catalog.segments.push(segment);
        chain = Some(end);
    }
    check_end(source, world.revision, point)?;
    catalog.schedule(&source.limits);
    Ok(Recovered {
        world,
        catalog,
        chain,
        store,
        acknowledged: acknowledged.map(|(file, _)| file),
    })
}

/// The journals that hold something. One that was only just being made may be cut off; nothing is lost with it.
fn begun(source: &Source<'_>, listing: &Listing, point: Option<Point>) -> Result<Vec<u64>, DiskError> {
    let mut begun = Vec::new();
    for base in &listing.journals {
        let path = journal_path(source.folder, *base);
        let length = std::fs::metadata(&path)
            .map_err(DiskError::io("read", &path))?
            .len();
        let is_used = point.is_some_and(|point| point.base == *base && point.length > HEADER_BYTES as u64);
        if length > HEADER_BYTES as u64 || is_used {
            begun.push(*base);
        } else {
            std::fs::remove_file(&path).map_err(DiskError::io("remove", &path))?;
        }
    }
    Ok(begun)
}

/// The beginning of the journals may not be missing, nor the note of how far they are.
fn check_beginning(
    source: &Source<'_>,
    snapshot: u64,
    journals: &[u64],
    point: Option<Point>,
) -> Result<(), DiskError> {
    match journals.first() {
        Some(first) if *first > snapshot => Err(DiskError::Missing {
            path: journal_path(source.folder, snapshot),
            why: "the other journals begin after the snapshot",
        }),
        Some(_) if point.is_none() => Err(DiskError::Missing {
            path: source.folder.join(super::acknowledged::NAME),
            why: "it says how far the journals were acknowledged",
        }),
        _ => Ok(()),
    }
}

/// What was acknowledged must have been found.
fn check_end(source: &Source<'_>, revision: u64, point: Option<Point>) -> Result<(), DiskError> {
    match point {
        Some(point) if point.revision > revision => Err(DiskError::Missing {
            path: journal_path(source.folder, point.base),
            why: "writes in it were acknowledged",
        }),
        _ => Ok(()),
    }
}

fn read_snapshot(
    source: &Source<'_>,
    revision: u64,
    world: &mut World,
) -> Result<([u8; 16], u64), DiskError> {
    let path = snapshot_path(source.folder, revision);
    let mut scanner = Scanner::open(&path, FileKind::Snapshot, source.vault, source.keys)?;
    if scanner.header.base != revision {
        return Err(DiskError::damaged(
            &path,
            16,
            "it is of another revision than its name says",
        ));
    }
    read_objects(&mut scanner, source.vault, |record, json| {
        world.apply(record, json);
    })?;
    Ok((scanner.header.store, scanner.length))
}

/// Shows each object of a snapshot or backup, and checks that it is complete.
pub(crate) fn read_objects(
    scanner: &mut Scanner,
    vault: &Vault,
    mut show: impl FnMut(&Record<'_>, Bytes),
) -> Result<u64, DiskError> {
    let mut count = 0;
    loop {
        let frame = match scanner.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(scanner.damage(Fault::Bad("it ends too early"))),
            Err(fault) => return Err(scanner.damage(fault)),
        };
        if frame.head.kind == FrameKind::End {
            return if u64::from(frame.head.count) == count && scanner.offset == scanner.length {
                Ok(count)
            } else {
                Err(scanner.damage(Fault::Bad("it does not end where it says")))
            };
        }
        let latest = scanner.header.base;
        scanner.records(&frame, vault, |record, json| {
            if record.revision > latest {
                return Err("an object is newer than the file");
            }
            count += 1;
            show(record, json);
            Ok(())
        })?;
    }
}

fn open_journal(source: &Source<'_>, base: u64, store: [u8; 16]) -> Result<Scanner, DiskError> {
    let path = journal_path(source.folder, base);
    let scanner = Scanner::open(&path, FileKind::Journal, source.vault, source.keys)?;
    if scanner.header.base != base || scanner.header.store != store {
        return Err(DiskError::damaged(
            &path,
            16,
            "it belongs to another store or place",
        ));
    }
    Ok(scanner)
}

/// Reads one journal; gives what it holds and the checksum at its end.
fn read_journal(
    source: &Source<'_>,
    mut scanner: Scanner,
    snapshot: u64,
    world: &mut World,
    is_last: bool,
    least: Option<u64>,
) -> Result<(Segment, u64), DiskError> {
    let base = scanner.header.base;
    let mut segment = Segment {
        base,
        last: base,
        events: 0,
        bytes: HEADER_BYTES as u64,
    };
    loop {
        let frame = match scanner.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(Fault::Bad(what)) if is_last && least.is_none_or(|least| scanner.offset >= least) => {
                let torn = !scanner
                    .has_later_frame()
                    .map_err(DiskError::io("read", &scanner.path))?;
                if torn {
                    tracing::warn!(path = %scanner.path.display(), offset = scanner.offset, "dropping a write that was never acknowledged");
                    break;
                }
                return Err(scanner.damage(Fault::Bad(what)));
            }
            Err(fault) => return Err(scanner.damage(fault)),
        };
        scanner.records(&frame, source.vault, |record, json| {
            if record.revision <= segment.last {
                return Err("a revision goes back");
            }
            segment.last = record.revision;
            segment.events += 1;
            let object = if record.revision > snapshot {
                world.revision = record.revision;
                world.apply(record, json)
            } else {
                world.known(record, json)
            };
            if let Some(object) = object {
                world.remember(record, object, &source.limits);
            }
            Ok(())
        })?;
        segment.bytes = scanner.offset;
    }
    if least.is_some_and(|least| segment.bytes < least) {
        return Err(scanner.damage(Fault::Bad("writes that were acknowledged are missing at its end")));
    }
    Ok((segment, scanner.chain))
}
