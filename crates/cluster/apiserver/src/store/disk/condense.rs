//! Writes a snapshot while the journal goes on, and then removes the files that it makes superfluous.
//!
//! A thread of its own, one at a time. When it fails nothing is lost: the journals stay until it works.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::super::object::Stored;
use super::catalog::{Catalog, Limits, Listing, journal_path, snapshot_path};
use super::header::Header;
use super::problem::DiskError;
use super::recover::Foreign;
use super::snapshot::{self, Item};
use super::vault::{self, Vault};
use super::volume::Volume;

/// All that a snapshot needs.
pub(crate) struct Work {
    pub(crate) folder: PathBuf,
    pub(crate) volume: Arc<dyn Volume>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) catalog: Arc<Mutex<Catalog>>,
    pub(crate) limits: Limits,
    pub(crate) header: Header,
    pub(crate) objects: Vec<Arc<Stored>>,
    pub(crate) foreign: Arc<Vec<(Vec<u8>, Foreign)>>,
}

/// A snapshot being written.
#[derive(Debug)]
pub(crate) struct Condensing {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

impl Condensing {
    /// Starts the thread.
    pub(crate) fn start(work: Work) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("api-snapshot".to_owned())
            .spawn({
                let stop = stop.clone();
                move || work.run(&stop)
            })?;
        Ok(Self { thread, stop })
    }

    /// Ends the thread, without its snapshot if that is not written yet.
    pub(crate) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.join();
    }

    /// Waits for the snapshot.
    pub(crate) fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("writing a snapshot of the object store ended badly");
        }
    }

    /// Whether the thread has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Work {
    fn run(self, stop: &AtomicBool) {
        match self.write(stop) {
            Ok(Some(bytes)) => {
                {
                    let mut catalog = self.catalog.lock();
                    catalog.snapshot = self.header.base;
                    catalog.snapshot_bytes = bytes;
                    catalog.schedule(&self.limits);
                }
                remove_surplus(&self.folder, &self.catalog, &self.limits);
            }
            Ok(None) => {}
            Err(problem) => {
                tracing::warn!(
                    problem = &problem as &dyn std::error::Error,
                    "writing a snapshot of the object store failed; it is tried again later, and takes more space until then"
                );
                self.catalog.lock().postpone(&self.limits);
            }
        }
    }

    /// Writes the snapshot.
    pub(crate) fn write(&self, stop: &AtomicBool) -> Result<Option<u64>, DiskError> {
        let keys: Vec<Vec<u8>> = self.objects.iter().map(|object| object.key.encode()).collect();
        let own = self.objects.iter().zip(&keys).map(|(object, key)| Item {
            key,
            revision: object.revision,
            json: object.json(),
            sealed: vault::is_sealed(object.key.resource),
        });
        let foreign = self.foreign.iter().map(|(key, foreign)| foreign.item(key));
        let path = snapshot_path(&self.folder, self.header.base);
        let stop = || stop.load(Ordering::Relaxed);
        snapshot::write(
            &*self.volume,
            &path,
            &self.header,
            own.chain(foreign),
            &self.vault,
            stop,
        )
    }
}

/// Removes journals and snapshots that nothing needs any more.
pub(crate) fn remove_surplus(folder: &Path, catalog: &Mutex<Catalog>, limits: &Limits) {
    let (surplus, newest) = {
        let mut catalog = catalog.lock();
        (catalog.take_surplus(limits), catalog.snapshot)
    };
    // Oldest first: what stays is always without a gap.
    for segment in surplus {
        remove(&journal_path(folder, segment.base));
    }
    for older in Listing::read(folder)
        .map(|listing| listing.snapshots)
        .unwrap_or_default()
    {
        if older < newest {
            remove(&snapshot_path(folder, older));
        }
    }
}

fn remove(path: &Path) {
    if let Err(problem) = std::fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %problem, "cannot remove a file that is no longer needed");
    }
}
