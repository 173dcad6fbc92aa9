//! The one thread that starts processes.
//!
//! Children ask the kernel to be killed when their parent dies, and to the kernel "parent" is the thread that forked
//! (`PR_SET_PDEATHSIG` in prctl(2)). A thread of a pool that goes home after a quiet minute would take them along, so
//! they all come from this one, which lives as long as the runtime.

use std::{io, sync::mpsc, thread};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Starts processes on its own thread.
#[derive(Debug)]
pub(super) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

impl Spawner {
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let run = move || queue.iter().for_each(|job| job());
        thread::Builder::new().name("spawner".to_owned()).spawn(run)?;
        Ok(Self { jobs })
    }

    /// Runs one start on the thread. When nobody waits for its result any more, `abandon` gets it instead.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        start: impl FnOnce() -> io::Result<T> + Send + 'static,
        abandon: impl FnOnce(T) + Send + 'static,
    ) -> io::Result<T> {
        let (answer, started) = oneshot::channel();
        let job = Box::new(move || {
            if let Err(Ok(unwanted)) = answer.send(start()) {
                abandon(unwanted);
            }
        });
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.jobs.send(job).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }
}
