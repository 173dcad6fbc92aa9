//! Whether the API still answers. Watches tell at once when it is gone, but not when it hangs; so it is asked a small
//! question every second.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kube::Client;

use crate::board::{follow::Shared, world::Place};

/// How often the API is asked. The pages promise to say within 5 seconds that it is gone.
const BEAT: Duration = Duration::from_secs(1);
/// An API that needs longer for its version serves nobody.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pages say that the API is gone when it has been silent for this long: one question without answer, and the next.
pub(crate) const SILENCE: Duration = Duration::from_secs(4);

/// When the API last answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse {
    last: Arc<Mutex<Option<Instant>>>,
}

impl Pulse {
    /// How long ago it answered; nothing if it never did.
    pub(crate) fn age(&self) -> Option<Duration> {
        let last = self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        last.map(|last| last.elapsed())
    }

    fn beat(&self) {
        *self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Asks until it is dropped; learns the cluster's version on the way.
pub(crate) async fn follow(client: Client, shared: Shared, pulse: Pulse) {
    let mut turns = tokio::time::interval(BEAT);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let Ok(Ok(version)) = tokio::time::timeout(PATIENCE, client.apiserver_version()).await else {
            continue;
        };
        pulse.beat();
        if shared.read().version.as_deref() != Some(version.git_version.as_str()) {
            shared.change(Place::Figures, |world| world.version = Some(version.git_version));
        }
    }
}
