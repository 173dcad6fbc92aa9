//! How long a session has been silent: one that nobody says anything in ends, as with kubelet.
//!
//! Everything that passes bytes of a session has a clone and calls [`Silence::broken`]; who runs the session waits for
//! [`Silence::long`].

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// When something was last said.
#[derive(Debug, Clone)]
pub(super) struct Silence(Arc<Mutex<Instant>>);

impl Silence {
    /// A silence that begins now.
    pub(super) fn begin() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// Something was said.
    pub(super) fn broken(&self) {
        *self.0.lock() = Instant::now();
    }

    /// Waits until nothing has been said for so long.
    pub(super) async fn long(&self, longest: Duration) {
        loop {
            let end = *self.0.lock() + longest;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn it_ends_a_session_when_it_is_long_and_never_broken() {
        let hour = Duration::from_hours(1);
        let silence = Silence::begin();
        *silence.0.lock() -= 2 * hour;
        assert_eq!(silence.long(hour).now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn a_word_begins_it_anew_for_who_waits_already() {
        let hour = Duration::from_hours(1);
        let silence = Silence::begin();
        *silence.0.lock() -= hour.checked_sub(Duration::from_millis(20)).unwrap();
        let mut waiting = std::pin::pin!(silence.long(hour));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        silence.clone().broken();
        let over = tokio::time::timeout(Duration::from_millis(60), waiting).await;
        assert!(over.is_err(), "it has an hour again");
    }
}
