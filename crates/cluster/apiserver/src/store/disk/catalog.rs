//! Which files there are, what they are called, when a new one is due and which may go.
//!
//! Pure but for the listing of a folder.

use std::path::{Path, PathBuf};

use super::problem::DiskError;

/// When files are changed and how much history stays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A journal of this length in bytes is followed by a new one: history goes by whole files.
    pub(crate) journal_bytes: u64,
    /// After so many bytes of journals a snapshot is written, or after as many as the last snapshot has.
    pub(crate) snapshot_after_bytes: u64,
    /// So many events stay readable on disk, so that watches can resume after a restart.
    pub(crate) history_events: u64,
    /// Unless they are more bytes than this.
    pub(crate) history_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            journal_bytes: 4 << 20,
            snapshot_after_bytes: 16 << 20,
            history_events: 8192,
            history_bytes: 64 << 20,
        }
    }
}

/// A journal file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The revision before its first write.
    pub(crate) base: u64,
    /// Its last revision.
    pub(crate) last: u64,
    /// Records in it.
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

/// What the files hold.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    /// The revision of the newest snapshot.
    pub(crate) snapshot: u64,
    /// Its length.
    pub(crate) snapshot_bytes: u64,
    /// Journals, oldest first; the last is being written.
    pub(crate) segments: Vec<Segment>,
    /// Bytes of journals when the next snapshot is due; `None` while one is being written.
    pub(crate) due_bytes: Option<u64>,
}

impl Catalog {
    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        let journals: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        self.snapshot_bytes + journals
    }

    /// Bytes that an opening has to replay on top of the snapshot.
    pub(crate) fn replay_bytes(&self) -> u64 {
        self.segments
            .iter()
            .filter(|segment| segment.last > self.snapshot)
            .map(|segment| segment.bytes)
            .sum()
    }

    /// Sets when the next snapshot is due.
    pub(crate) fn schedule(&mut self, limits: &Limits) {
        let wait = limits.snapshot_after_bytes.max(self.snapshot_bytes);
        self.due_bytes = Some(wait);
    }

    /// As [`Catalog::schedule`], after a snapshot that could not be written: so much later.
    pub(crate) fn postpone(&mut self, limits: &Limits) {
        let wait = limits.snapshot_after_bytes.max(self.snapshot_bytes);
        self.due_bytes = Some(self.replay_bytes().saturating_add(wait));
    }

    /// Whether a snapshot is due.
    pub(crate) fn is_due(&self) -> bool {
        self.due_bytes.is_some_and(|due| self.replay_bytes() >= due)
    }

    /// Takes out the journals that neither an opening nor history needs.
    pub(crate) fn take_surplus(&mut self, limits: &Limits) -> Vec<Segment> {
        let mut events: u64 = self.segments.iter().map(|segment| segment.events).sum();
        let mut bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        let mut surplus = 0;
        for segment in &self.segments[..self.segments.len().saturating_sub(1)] {
            let is_long = events - segment.events >= limits.history_events || bytes > limits.history_bytes;
            if segment.last > self.snapshot || !is_long {
                break;
            }
            events -= segment.events;
            bytes -= segment.bytes;
            surplus += 1;
        }
        self.segments.drain(..surplus).collect()
    }
}

/// The path of a journal.
pub(crate) fn journal_path(folder: &Path, base: u64) -> PathBuf {
    folder.join(format!("{base:020}.journal"))
}

/// The path of a snapshot.
pub(crate) fn snapshot_path(folder: &Path, revision: u64) -> PathBuf {
    folder.join(format!("{revision:020}.snapshot"))
}

/// The files of a folder.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Revisions of snapshots, ascending.
    pub(crate) snapshots: Vec<u64>,
    /// Bases of journals, ascending.
    pub(crate) journals: Vec<u64>,
    /// What a crash left half done.
    pub(crate) drafts: Vec<PathBuf>,
}

impl Listing {
    /// Lists a folder. Files that are none of the store's are left alone.
    pub(crate) fn read(folder: &Path) -> Result<Self, DiskError> {
        let mut found = Self::default();
        for entry in std::fs::read_dir(folder).map_err(DiskError::io("list", folder))? {
            let path = entry.map_err(DiskError::io("list", folder))?.path();
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            let number = (stem.len() == 20).then(|| stem.parse().ok()).flatten();
            match (path.extension().and_then(|extension| extension.to_str()), number) {
                (Some("tmp"), _) => found.drafts.push(path),
                (Some("journal"), Some(base)) => found.journals.push(base),
                (Some("snapshot"), Some(revision)) => found.snapshots.push(revision),
                _ => {}
            }
        }
        found.journals.sort_unstable();
        found.snapshots.sort_unstable();
        Ok(found)
    }

    /// Whether the folder holds no store.
    pub(crate) fn is_empty(&self) -> bool {
        self.snapshots.is_empty() && self.journals.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        journal_bytes: 100,
        snapshot_after_bytes: 250,
        history_events: 20,
        history_bytes: 1000,
    };

    fn catalog(segments: u64, events: u64, bytes: u64) -> Catalog {
        Catalog {
            snapshot: 0,
            snapshot_bytes: 10,
            segments: (0..segments)
                .map(|number| Segment {
                    base: number * 10,
                    last: number * 10 + 10,
                    events,
                    bytes,
                })
                .collect(),
            due_bytes: None,
        }
    }

    #[test]
    fn a_snapshot_is_due_when_there_is_much_to_replay() {
        let mut catalog = catalog(3, 10, 100);
        assert!(!catalog.is_due(), "one is being written");
        catalog.schedule(&LIMITS);
        assert!(catalog.is_due());
        catalog.snapshot = 10;
        assert!(!catalog.is_due());
        catalog.snapshot = 0;
        catalog.snapshot_bytes = 301;
        catalog.schedule(&LIMITS);
        assert!(!catalog.is_due());
    }

    #[test]
    fn what_is_in_no_snapshot_stays() {
        assert!(catalog(9, 10, 100).take_surplus(&LIMITS).is_empty());
    }

    #[test]
    fn history_keeps_so_many_events() {
        let mut catalog = catalog(9, 10, 10);
        catalog.snapshot = 90;
        assert_eq!(catalog.take_surplus(&LIMITS).len(), 7);
        assert_eq!(
            catalog
                .segments
                .iter()
                .map(|segment| segment.base)
                .collect::<Vec<_>>(),
            [70, 80]
        );
    }

    #[test]
    fn history_of_large_objects_is_shorter_and_the_last_journal_stays() {
        let mut catalog = catalog(3, 1, 900);
        catalog.snapshot = 30;
        assert_eq!(catalog.take_surplus(&LIMITS).len(), 2);
        catalog.segments[0].bytes = 5000;
        assert!(catalog.take_surplus(&LIMITS).is_empty());
    }
}
