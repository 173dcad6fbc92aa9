//! How far the journal was acknowledged, kept beside it: tells a write that a crash tore from one that got lost later.
//!
//! Written after every group and not waited for: the end of the process does not lose it, and a power cut at most makes
//! it name an earlier point, which is as true. Two slots, written in turn, so that one is always whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::problem::DiskError;

/// The file's name.
pub(crate) const NAME: &str = "acknowledged";
const SLOT_BYTES: usize = 56;
/// Distance of the slots: a sector each, so that one torn write harms one slot.
const SLOT_PLACE: u64 = 512;

/// A point that the journal had reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// The journal's base.
    pub(crate) base: u64,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// The last revision in it.
    pub(crate) revision: u64,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    path: PathBuf,
    file: File,
    store: [u8; 16],
    turn: u64,
}

impl Acknowledged {
    /// Makes the file with a first point, durably.
    pub(crate) fn create(folder: &Path, store: [u8; 16], point: Point) -> Result<Self, DiskError> {
        let path = folder.join(NAME);
        let mut file = encode(0, store, point).to_vec();
        file.resize(usize::try_from(SLOT_PLACE).unwrap_or_default() * 2, 0);
        super::whole_file::write(&path, &file).map_err(DiskError::io("write", &path))?;
        Self::open(&path, store, 0)
    }

    /// Reads the file; `None` when there is none.
    pub(crate) fn read(folder: &Path, store: [u8; 16]) -> Result<Option<(Self, Point)>, DiskError> {
        let path = folder.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(DiskError::io("read", &path)(problem)),
        };
        let slots = [0, usize::try_from(SLOT_PLACE).unwrap_or_default()];
        let latest = slots
            .iter()
            .filter_map(|at| decode(bytes.get(*at..)?.first_chunk()?, store))
            .max_by_key(|(turn, _)| *turn);
        let Some((turn, point)) = latest else {
            return Err(DiskError::damaged(
                &path,
                0,
                "neither of its two entries is whole",
            ));
        };
        Ok(Some((Self::open(&path, store, turn)?, point)))
    }

    fn open(path: &Path, store: [u8; 16], turn: u64) -> Result<Self, DiskError> {
        let file = File::options()
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(DiskError::io("open", path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            store,
            turn,
        })
    }

    /// Notes a new point.
    pub(crate) fn note(&mut self, point: Point) {
        self.turn += 1;
        let slot = encode(self.turn, self.store, point);
        if let Err(problem) = self.file.write_all_at(&slot, SLOT_PLACE * (self.turn % 2)) {
            // What was acknowledged is on disk all the same; only damage at the journal's end would go unnoticed.
            tracing::warn!(path = %self.path.display(), %problem, "cannot note how far the journal is");
        }
    }

    /// Makes the latest point durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn encode(turn: u64, store: [u8; 16], point: Point) -> [u8; SLOT_BYTES] {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    for number in [turn, point.base, point.length, point.revision] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&store);
    bytes.extend_from_slice(&xxh3_64(&bytes).to_be_bytes());
    bytes.try_into().expect("the parts add up to the length")
}

fn decode(bytes: &[u8; SLOT_BYTES], store: [u8; 16]) -> Option<(u64, Point)> {
    let (body, sum) = bytes.split_at(SLOT_BYTES - 8);
    if sum != xxh3_64(body).to_be_bytes() || body[32..48] != store {
        return None;
    }
    let number = |at: usize| {
        body[at..]
            .first_chunk::<8>()
            .map(|bytes| u64::from_be_bytes(*bytes))
    };
    let point = Point {
        base: number(8)?,
        length: number(16)?,
        revision: number(24)?,
    };
    Some((number(0)?, point))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: [u8; 16] = [9; 16];

    fn point(revision: u64) -> Point {
        Point {
            base: 1,
            length: 100 + revision,
            revision,
        }
    }

    #[test]
    fn the_latest_point_comes_back_and_the_one_before_when_that_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = Acknowledged::create(folder.path(), STORE, point(1)).unwrap();
        for revision in 2..=5 {
            file.note(point(revision));
            let (_, found) = Acknowledged::read(folder.path(), STORE).unwrap().unwrap();
            assert_eq!(found, point(revision));
        }
        let path = folder.path().join(NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (_, found) = Acknowledged::read(folder.path(), STORE).unwrap().unwrap();
        assert_eq!(found, point(4));
        assert!(Acknowledged::read(folder.path(), [1; 16]).is_err());
        std::fs::write(&path, b"").unwrap();
        assert!(Acknowledged::read(folder.path(), STORE).is_err());
    }
}
