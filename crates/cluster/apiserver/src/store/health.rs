//! How the disk fares: what the files take, what room is left, how long writes wait for it. For `/metrics`.
//!
//! Written by the committer, read by whoever asks; neither waits for the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::histogram::Histogram;

use super::disk::Catalog;

/// Upper bounds in seconds: a flush takes a fraction of a millisecond on a good disk, and is a worry from tenths on.
const FLUSH_SECONDS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The state of the disk.
#[derive(Debug)]
pub(crate) struct Health {
    folder: PathBuf,
    catalog: Arc<Mutex<Catalog>>,
    refuses: AtomicBool,
    flushes: Histogram,
}

impl Health {
    pub(super) fn new(folder: &Path, catalog: Arc<Mutex<Catalog>>) -> Self {
        Self {
            folder: folder.to_owned(),
            catalog,
            refuses: AtomicBool::new(false),
            flushes: Histogram::new(FLUSH_SECONDS),
        }
    }

    /// A group of writes is on disk, after so long; says whether the one before was refused.
    pub(super) fn written(&self, took: Duration) -> bool {
        self.flushes.observe(took.as_secs_f64());
        self.refuses.swap(false, Relaxed)
    }

    /// The disk refused a group of writes; says whether it did so with the one before.
    pub(super) fn refused(&self) -> bool {
        self.refuses.swap(true, Relaxed)
    }

    /// Whether the last group of writes came to disk; true before the first.
    pub(crate) fn is_writing(&self) -> bool {
        !self.refuses.load(Relaxed)
    }

    /// Seconds that groups of writes took until they were on disk.
    pub(crate) fn flushes(&self) -> Histogram {
        self.flushes.clone()
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.catalog.lock().bytes()
    }

    /// Bytes of journals that an opening replays on top of the snapshot.
    pub(crate) fn replay_bytes(&self) -> u64 {
        self.catalog.lock().replay_bytes()
    }

    /// Bytes that the file system has left for this process; `None` when it does not say.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(&self.folder).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
}
