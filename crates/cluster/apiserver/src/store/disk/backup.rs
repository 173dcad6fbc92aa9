//! Backups: a snapshot in a file of its own, made while everybody writes, and a store made of one.
//!
//! What is sealed in the store is sealed in a backup, with the same key, which is not in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags};

use super::super::object::Stored;
use super::acknowledged::Acknowledged;
use super::catalog::{Listing, snapshot_path};
use super::frame::FrameKind;
use super::header::{FileKind, Header};
use super::problem::DiskError;
use super::recover::{Foreign, read_objects};
use super::scan::{Fault, Scanner};
use super::snapshot::{self, Frames, Item};
use super::vault::{self, KeyError, Vault};
use super::volume::{FileSystem, Volume as _};
use super::{Place, legacy};

/// A restored store goes on so many revisions behind the backup's: above everything that a client can have seen of the
/// one that it replaces, if that is lost. etcd's documentation gives the same number for the same reason.
const JUMP: u64 = 1_000_000_000;

/// What backups are made with.
pub(crate) struct Sealer {
    pub(crate) vault: Arc<Vault>,
    pub(crate) store: [u8; 16],
    pub(crate) foreign: Arc<Vec<(Vec<u8>, Foreign)>>,
}

/// A backup, piece by piece.
pub(crate) struct Backup {
    vault: Arc<Vault>,
    header: Option<Header>,
    frames: Option<Frames>,
    objects: std::vec::IntoIter<Arc<Stored>>,
    foreign: Arc<Vec<(Vec<u8>, Foreign)>>,
    next_foreign: usize,
}

impl Sealer {
    /// The backup of these objects, which are all at a revision.
    pub(crate) fn backup(&self, revision: u64, objects: Vec<Arc<Stored>>) -> Backup {
        let header = super::header(FileKind::Backup, revision, 0, &self.vault, self.store);
        Backup {
            vault: self.vault.clone(),
            frames: Some(Frames::new(&header)),
            header: Some(header),
            objects: objects.into_iter(),
            foreign: self.foreign.clone(),
            next_foreign: 0,
        }
    }
}

impl Iterator for Backup {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if let Some(header) = self.header.take() {
            return Some(Bytes::copy_from_slice(&header.encode()));
        }
        let frames = self.frames.as_mut()?;
        for object in self.objects.by_ref() {
            let item = Item {
                key: &object.key.encode(),
                revision: object.revision,
                json: object.json(),
                sealed: vault::is_sealed(object.key.resource),
            };
            if let Some(frame) = frames.add(&item, &self.vault) {
                return Some(frame.into());
            }
        }
        while let Some((key, foreign)) = self.foreign.get(self.next_foreign) {
            self.next_foreign += 1;
            if let Some(frame) = frames.add(&foreign.item(key), &self.vault) {
                return Some(frame.into());
            }
        }
        self.frames.take().map(|frames| frames.finish().into())
    }
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The revision that it is of.
    pub revision: u64,
    /// Objects in it.
    pub objects: u64,
}

/// Reads a backup from its first to its last byte, as far as that goes without its key.
pub(crate) fn inspect(file: &Path) -> Result<Inspected, DiskError> {
    let mut scanner = Scanner::open_any(file, FileKind::Backup)?;
    let mut objects = 0;
    loop {
        match scanner.next() {
            Ok(Some(frame)) if frame.head.kind == FrameKind::Group => objects += u64::from(frame.head.count),
            Ok(Some(frame)) if u64::from(frame.head.count) == objects && scanner.offset == scanner.length => {
                return Ok(Inspected {
                    revision: scanner.header.base,
                    objects,
                });
            }
            Ok(Some(_)) => return Err(scanner.damage(Fault::Bad("it does not end where it says"))),
            Ok(None) => return Err(scanner.damage(Fault::Bad("it ends too early"))),
            Err(fault) => return Err(scanner.damage(fault)),
        }
    }
}

/// What a restoration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The revision that the store goes on after.
    pub revision: u64,
    /// Objects in it.
    pub objects: u64,
    /// Where the store lies that was there before.
    pub aside: Option<PathBuf>,
}

/// Puts a store made of a backup in the place of what is there, all at once or not at all.
pub(crate) fn restore(
    place: &Place,
    file: &Path,
    replace: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<Restored, DiskError> {
    let _lock = super::take(&place.folder)?;
    let is_occupied = !Listing::read(&place.folder)?.is_empty() || legacy::is_there(&place.folder);
    if is_occupied && !replace {
        return Err(DiskError::Occupied {
            path: place.folder.clone(),
        });
    }
    let Some(vault) = Vault::read(&place.keys)? else {
        return Err(KeyError::Missing {
            path: place.keys.clone(),
        }
        .into());
    };
    let mut scanner = Scanner::open(file, FileKind::Backup, &vault, &place.keys)?;
    let mut objects = Vec::new();
    let mut bytes = 0;
    read_objects(&mut scanner, &vault, |record, json| {
        bytes += json.len() as u64;
        progress(bytes);
        let foreign = Foreign {
            revision: record.revision,
            json,
            sealed: record.sealed,
        };
        objects.push((record.key.to_vec(), foreign));
    })?;
    let revision = scanner.header.base.max(last_revision(&place.folder)) + JUMP;
    let draft = draft(place, revision, &objects, &vault)?;
    Ok(Restored {
        revision,
        objects: objects.len() as u64,
        aside: exchange(place, &draft, is_occupied)?,
    })
}

/// The latest revision that a store is known to have had, as far as its files can be read.
fn last_revision(folder: &Path) -> u64 {
    let listing = Listing::read(folder).unwrap_or_default();
    let newest = listing.snapshots.last().copied();
    let noted = newest
        .and_then(|newest| Scanner::open_any(&snapshot_path(folder, newest), FileKind::Snapshot).ok())
        .and_then(|scanner| Acknowledged::read(folder, scanner.header.store).ok().flatten())
        .map(|(_, point)| point.revision);
    let named = listing.journals.last().copied();
    [newest, noted, named].into_iter().flatten().max().unwrap_or(0)
}

/// Writes the new store beside the old one.
fn draft(
    place: &Place,
    revision: u64,
    objects: &[(Vec<u8>, Foreign)],
    vault: &Vault,
) -> Result<PathBuf, DiskError> {
    let draft = beside(&place.folder, "restoring");
    if draft.exists() {
        std::fs::remove_dir_all(&draft).map_err(DiskError::io("remove", &draft))?;
    }
    super::make_folder(&draft)?;
    let header = super::header(FileKind::Snapshot, revision, 0, vault, rand::random());
    let items = objects.iter().map(|(key, foreign)| foreign.item(key));
    let path = snapshot_path(&draft, revision);
    snapshot::write(&FileSystem, &path, &header, items, vault, || false)?;
    Ok(draft)
}

/// Changes the names of the two stores in one step, and keeps the old one.
fn exchange(place: &Place, draft: &Path, is_occupied: bool) -> Result<Option<PathBuf>, DiskError> {
    rustix::fs::renameat_with(CWD, draft, CWD, &place.folder, RenameFlags::EXCHANGE).map_err(|problem| {
        DiskError::io("put the restored store in the place of", &place.folder)(problem.into())
    })?;
    let parent = place.folder.parent().unwrap_or(Path::new("/"));
    FileSystem
        .sync_folder(parent)
        .map_err(DiskError::io("write", parent))?;
    if !is_occupied {
        std::fs::remove_dir_all(draft).map_err(DiskError::io("remove", draft))?;
        return Ok(None);
    }
    let aside = (1..u32::MAX)
        .map(|number| beside(&place.folder, &format!("before-restore-{number}")))
        .find(|path| !path.exists())
        .expect("there are more numbers than folders");
    std::fs::rename(draft, &aside).map_err(DiskError::io("keep the old store as", &aside))?;
    Ok(Some(aside))
}

fn beside(folder: &Path, what: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    folder.with_file_name(name)
}
