//! A disk that does as it is told: that is full, or broken.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use super::super::volume::{FileSystem, Sink, Volume};

/// What a disk can still do.
#[derive(Debug)]
pub(super) struct Health {
    /// Bytes that there is room for.
    pub(super) room: AtomicI64,
    /// So many flushes fail, from now on.
    pub(super) bad_flushes: AtomicU32,
    /// So many cuts fail, from now on.
    pub(super) bad_cuts: AtomicU32,
}

/// A file system on such a disk.
pub(super) struct FailingVolume(pub(super) Arc<Health>);

struct FailingSink {
    inner: Box<dyn Sink>,
    health: Arc<Health>,
}

impl Health {
    pub(super) fn good() -> Arc<Self> {
        Arc::new(Self {
            room: AtomicI64::new(i64::MAX),
            bad_flushes: AtomicU32::new(0),
            bad_cuts: AtomicU32::new(0),
        })
    }
}

fn takes_one(counter: &AtomicU32) -> bool {
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

impl Sink for FailingSink {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wanted = i64::try_from(bytes.len()).unwrap();
        let room = self.health.room.load(Ordering::SeqCst);
        if room >= wanted {
            self.health.room.fetch_sub(wanted, Ordering::SeqCst);
            return self.inner.append(bytes);
        }
        // As a real one: what fits is written.
        self.inner
            .append(&bytes[..usize::try_from(room.max(0)).unwrap()])?;
        self.health.room.store(0, Ordering::SeqCst);
        Err(io::ErrorKind::StorageFull.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        if takes_one(&self.health.bad_flushes) {
            return Err(io::Error::other("broken"));
        }
        self.inner.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if takes_one(&self.health.bad_cuts) {
            return Err(io::Error::other("broken"));
        }
        self.inner.truncate(length)
    }
}

impl Volume for FailingVolume {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        if self.0.room.load(Ordering::SeqCst) <= 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inner = FileSystem.create(path)?;
        let health = self.0.clone();
        Ok(Box::new(FailingSink { inner, health }))
    }

    fn reopen(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        let inner = FileSystem.reopen(path)?;
        let health = self.0.clone();
        Ok(Box::new(FailingSink { inner, health }))
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        FileSystem.publish(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        FileSystem.sync_folder(folder)
    }
}
