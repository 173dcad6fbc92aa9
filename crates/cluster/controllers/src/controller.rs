//! What a controller is, and the loop that runs one: keys out of its queue, several at a time, each key alone.

use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::figures::Figures;
use crate::queue::Queue;

/// Keys of one controller that are worked on at the same time: enough to hide the latency of a slow webhook, few enough
/// not to crowd the API out.
const AT_ONCE: usize = 16;

/// Why a key could not be brought to its desired state; the key is tried again.
#[derive(Debug, thiserror::Error)]
#[error("could not {step}")]
pub(crate) struct Failure {
    /// What was attempted.
    pub(crate) step: &'static str,
    /// What the API answered.
    #[source]
    pub(crate) source: kube::Error,
}

impl Failure {
    /// Whether the API refused because of a stale read, which the next attempt mends.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(&self.source, kube::Error::Api(status) if matches!(status.code, 404 | 409))
    }
}

/// Names the step that a request belongs to.
pub(crate) trait Step<T> {
    /// Wraps the error, if it is one.
    fn step(self, step: &'static str) -> Result<T, Failure>;
}

impl<T> Step<T> for Result<T, kube::Error> {
    fn step(self, step: &'static str) -> Result<T, Failure> {
        self.map_err(|source| Failure { step, source })
    }
}

/// Treats "not found" as success: somebody was faster.
pub(crate) fn gone_is_fine<T>(result: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the API said, without the client's wrapping.
pub(crate) fn text_of(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// When a key has to be looked at again though nothing changes: `None` for never.
pub(crate) type Again = Option<Duration>;

/// One controller: idempotent work per key.
pub(crate) trait Controller: Send + Sync + 'static {
    /// What the work is about.
    type Key: Clone + Eq + Hash + Display + Send + Sync + 'static;

    /// Its name in logs.
    const NAME: &'static str;

    /// Its queue.
    fn queue(&self) -> &Queue<Self::Key>;

    /// Reads the world and brings `key` nearer to what is desired.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Result<Again, Failure>> + Send;
}

/// Runs `controller` until `shutdown`; work that has begun is finished first.
pub(crate) async fn work<C: Controller>(controller: Arc<C>, figures: Figures, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let tasks = TaskTracker::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, controller.queue().next().await)
        };
        let Some((place, key)) = shutdown.run_until_cancelled(next).await else {
            break;
        };
        let (controller, figures) = (Arc::clone(&controller), figures.clone());
        tasks.spawn(async move {
            work_once(&*controller, &key, &figures).await;
            drop(place);
        });
    }
    tasks.close();
    tasks.wait().await;
}

async fn work_once<C: Controller>(controller: &C, key: &C::Key, figures: &Figures) {
    let began = Instant::now();
    let outcome = controller.reconcile(key).await;
    let result = match &outcome {
        Ok(_) => "done",
        Err(failure) if failure.is_stale() => "stale",
        Err(_) => "failed",
    };
    figures.worked(C::NAME, result, began.elapsed());
    match outcome {
        Ok(again) => {
            controller.queue().done(key);
            if let Some(delay) = again {
                controller.queue().add_after(key.clone(), delay);
            }
        }
        Err(failure) => {
            let pause_millis = u64::try_from(controller.queue().failed(key).as_millis()).unwrap_or(u64::MAX);
            let error = &failure as &dyn std::error::Error;
            if failure.is_stale() || pause_millis < 1000 {
                debug!(controller = C::NAME, %key, pause_millis, error, "trying again");
            } else {
                warn!(controller = C::NAME, %key, pause_millis, error, "trying again");
            }
        }
    }
}
