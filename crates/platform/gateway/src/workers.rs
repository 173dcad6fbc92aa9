//! The threads of the data path: each has a runtime, a data plane and a pool of its own, and shares with the others the
//! listeners, the table and the rules. Connections stay where they were accepted, so that nothing on their way is locked.

use std::{future::Future, io, num::NonZeroUsize, thread};

use tokio::{net::TcpListener, runtime::Builder, sync::oneshot, task::JoinSet};

/// Runs what `work` makes of its number in each of so many threads, and returns when all have ended.
///
/// # Errors
/// When the system gives no thread, or no runtime to one. Those that run already end with the caller's shutdown.
pub(crate) async fn run_in_threads<W, F>(count: NonZeroUsize, work: W) -> io::Result<()>
where
    W: Fn(usize) -> F + Clone + Send + 'static,
    F: Future<Output = ()>,
{
    let mut running = JoinSet::new();
    for number in 0..count.get() {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (ended, has_ended) = oneshot::channel();
        let work = work.clone();
        thread::Builder::new()
            .name(format!("gateway-{number}"))
            .spawn(move || {
                runtime.block_on(work(number));
                // Connections of which nothing is left to wait for end with the runtime.
                drop(runtime);
                // Whoever waited may be gone.
                let _ = ended.send(());
            })?;
        running.spawn(has_ended);
    }
    while let Some(ended) = running.join_next().await {
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("a thread of the gateway has ended of itself; the others go on");
        }
    }
    Ok(())
}

/// A listener that many threads can accept from.
#[derive(Debug)]
pub(crate) struct SharedListener(std::net::TcpListener);

impl SharedListener {
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        listener.into_std().map(Self)
    }

    /// The listener for the thread that calls, inside its runtime.
    pub(crate) fn here(&self) -> io::Result<TcpListener> {
        TcpListener::from_std(self.0.try_clone()?)
    }
}
