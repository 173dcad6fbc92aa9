//! What stands between a leader and the world: open while its Lease is surely its own, and shut for good after that.
//!
//! A process may be paused at any point and go on when another leads already. So it is not enough to tell the work of a
//! term to end: each write is asked for at the fence first. The time is the monotonic one of this machine, which goes on while a
//! process is stopped.

use std::sync::Arc;

use kube::{Client, client::Body};
use parking_lot::Mutex;
use tokio::time::Instant;
use tower::BoxError;

/// Why something was not written.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this replica does not lead any more, so it does not write")]
pub(crate) struct NotLeading;

/// Until when one may write; none when it is over. Without a Lease, always.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fence(Option<Arc<Mutex<Option<Instant>>>>);

impl Fence {
    /// Open until then.
    pub(crate) fn until(then: Instant) -> Self {
        Self(Some(Arc::new(Mutex::new(Some(then)))))
    }

    /// Open until then instead, unless it has been shut.
    pub(super) fn keep_until(&self, then: Instant) {
        if let Some(fence) = &self.0
            && let Some(until) = fence.lock().as_mut()
        {
            *until = then;
        }
    }

    /// Shut for good.
    pub(super) fn shut(&self) {
        if let Some(fence) = &self.0 {
            *fence.lock() = None;
        }
    }

    /// Whether one may write now.
    ///
    /// # Errors
    /// When not.
    pub(crate) fn pass(&self) -> Result<(), NotLeading> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Result<(), NotLeading> {
        let Some(fence) = &self.0 else { return Ok(()) };
        let open = fence.lock().is_some_and(|until| now < until);
        if open { Ok(()) } else { Err(NotLeading) }
    }

    /// A client through which nothing but reads passes when the fence is not open.
    pub(super) fn client(&self, inner: Client) -> Client {
        let namespace = inner.default_namespace().to_owned();
        let fence = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (inner, fence) = (inner.clone(), fence.clone());
            async move {
                if !request.method().is_safe() {
                    fence.pass()?;
                }
                Ok::<_, BoxError>(inner.send(request).await?)
            }
        });
        Client::new(service, namespace)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn is_open_for_its_time_and_never_again_once_it_was_shut() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let fence = Fence::until(now + second);
        assert!(fence.pass_at(now).is_ok());
        assert!(fence.pass_at(now + second).is_err());
        fence.keep_until(now + second * 2);
        assert!(fence.pass_at(now + second).is_ok(), "renewed late, but renewed");
        fence.clone().shut();
        fence.keep_until(now + second * 2);
        assert!(fence.pass_at(now).is_err());
        assert!(Fence::default().pass_at(now).is_ok());
    }
}
