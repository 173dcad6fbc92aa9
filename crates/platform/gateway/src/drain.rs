//! How the data path ends: what is under way may finish, and how long it has.

use std::{future::pending, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::limits::{IDLE_GRACE, QUICK_DRAIN};

/// How long what is open at the stop may stay so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    requests: Duration,
    idle: Duration,
    upgraded: Duration,
}

impl Drain {
    /// For somebody who waits: requests under way have five seconds, everything else ends at once.
    pub fn quick() -> Self {
        Self {
            requests: QUICK_DRAIN,
            idle: Duration::ZERO,
            upgraded: Duration::ZERO,
        }
    }

    /// For visitors who must not notice: requests and upgraded connections have this long. Connections without a request
    /// have at most five seconds of it, for one that is on its way.
    pub fn within(limit: Duration) -> Self {
        Self {
            requests: limit,
            idle: IDLE_GRACE.min(limit),
            upgraded: limit,
        }
    }
}

/// What ends connections of one listener, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// Requests under way are answered, and their connections take no other.
    pub(crate) stopping: CancellationToken,
    /// Connections without a request end.
    pub(crate) leaving: CancellationToken,
    /// Upgraded connections end.
    pub(crate) closing: CancellationToken,
    /// The upgraded connections.
    pub(crate) upgraded: TaskTracker,
}

impl Ending {
    /// Waits for the end of what is open, after the stop; returns when nothing is, or when the time is over.
    pub(crate) async fn drain(&self, mut connections: JoinSet<()>, drain: Drain) {
        let stopped = Instant::now();
        let ended = async { while connections.join_next().await.is_some() {} };
        let letting_go = async {
            sleep(drain.idle).await;
            self.leaving.cancel();
            pending::<()>().await;
        };
        let all = async {
            tokio::select! {
                () = ended => {}
                () = letting_go => {}
            }
        };
        if timeout_at(stopped + drain.requests, all).await.is_err() {
            tracing::info!("requests still under way are cut off");
        }
        self.upgraded.close();
        if timeout_at(stopped + drain.upgraded, self.upgraded.wait())
            .await
            .is_err()
            && !drain.upgraded.is_zero()
        {
            tracing::info!(count = self.upgraded.len(), "upgraded connections are cut off");
        }
        self.closing.cancel();
    }
}
