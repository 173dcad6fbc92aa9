//! File work in homes, and in the archive: off the async threads, and with an end to patience.
//!
//! A home may lie on a file system that does not answer, and nothing can be taken back from a thread that waits for it.
//! So each piece of work has a thread to itself (`threads.rs`), which nobody waits for at the end of the program, and the
//! turn that wants it fails when it takes too long. **Invariant:** as long as a home's thread has not come back, no other
//! one goes there: a dead home costs one thread and one delayed turn, however often it is tried.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

mod threads;

use threads::Threads;

use crate::{
    election::{Fence, NotLeading},
    files::FileError,
    reconcile::ReconcileError,
};

/// How long a turn waits for a home: far longer than a busy file server takes, short enough that many dead homes do not
/// hold up the others for long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why file work has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileWorkError {
    /// It takes too long, or what was begun before has not come back.
    #[error("the file system of {} does not answer; look at its mount", .0.display())]
    Silent(PathBuf),
    /// This replica is not the leader any more.
    #[error(transparent)]
    NotLeading(#[from] NotLeading),
    /// There is no thread to be had.
    #[error("no thread can be started for file work in the home")]
    NoThread(#[source] io::Error),
    /// It panicked.
    #[error("file work in the home ended badly")]
    Ended,
}

/// Does file work, one piece at a time in each home.
#[derive(Clone, Debug)]
pub(crate) struct FileWork {
    fence: Fence,
    patience: Duration,
    busy: Arc<Mutex<HashSet<PathBuf>>>,
    threads: Threads,
}

/// A home in which a thread is at work; given back wherever that ends.
struct Busy {
    home: PathBuf,
    busy: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.busy.lock().remove(&self.home);
    }
}

impl FileWork {
    /// Work that begins, and goes on, only while the fence is open.
    pub(crate) fn new(fence: Fence) -> Self {
        Self {
            fence,
            patience: PATIENCE,
            busy: Arc::default(),
            threads: Threads::default(),
        }
    }

    /// Does work in a home. What it changes there, it changes while the fence is open that it gets. Once more it is done, from
    /// its beginning, when something that it had opened went stale: a home may be replaced on its file server at any time.
    ///
    /// # Errors
    /// Those of the work, and when it takes too long, cannot begin or panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        home: &Path,
        work: impl Fn(&Fence) -> Result<T, ReconcileError> + Send + 'static,
    ) -> Result<T, ReconcileError> {
        let silent = || FileWorkError::Silent(home.to_owned());
        let busy = self.enter(home).ok_or_else(silent)?;
        let (answer, answered) = oneshot::channel();
        let fence = self.fence.clone();
        let started = self.threads.run(Box::new(move || {
            let attempt = || {
                fence.pass().map_err(FileWorkError::from)?;
                work(&fence)
            };
            let outcome = attempt().or_else(|error| {
                let is_stale = error.file().is_some_and(FileError::is_stale);
                if is_stale { attempt() } else { Err(error) }
            });
            // Before the answer: whoever has it may go on in this home.
            drop(busy);
            // Nobody waits any more when it took too long.
            let _ = answer.send(outcome);
        }));
        started.map_err(FileWorkError::NoThread)?;
        match tokio::time::timeout(self.patience, answered).await {
            Err(_) => Err(silent().into()),
            Ok(Err(_)) => Err(FileWorkError::Ended.into()),
            Ok(Ok(outcome)) => outcome,
        }
    }

    fn enter(&self, home: &Path) -> Option<Busy> {
        let is_free = self.busy.lock().insert(home.to_owned());
        is_free.then(|| Busy {
            home: home.to_owned(),
            busy: self.busy.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
