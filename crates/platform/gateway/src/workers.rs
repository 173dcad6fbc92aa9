//! The threads of the data path: each has a runtime, a data plane and a pool of its own, and shares with the others the
//! listeners, the table and the rules. Connections stay where they were accepted, so that nothing on their way is locked.

use std::{future::Future, io, thread};

use tokio::{runtime::Builder, sync::oneshot, task::JoinSet};

/// Runs each piece of work in a thread of its own, and returns when all have ended.
///
/// # Errors
/// When the system gives no thread, or no runtime to one. Those that run already end with the caller's shutdown.
pub(crate) async fn run_in_threads<W, F>(works: Vec<W>) -> io::Result<()>
where
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()>,
{
    let mut running = JoinSet::new();
    for (number, work) in works.into_iter().enumerate() {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (ended, has_ended) = oneshot::channel();
        thread::Builder::new()
            .name(format!("gateway-{number}"))
            .spawn(move || {
                runtime.block_on(async move { work().await });
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
