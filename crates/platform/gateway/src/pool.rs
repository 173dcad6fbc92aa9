//! The kept-alive connections to endpoints.
//!
//! One pool belongs to one data plane; with one data plane per core its lock is never contended. It knows nothing of
//! requests: when one may be sent again is decided in `exchange`.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Instant,
};

use parking_lot::Mutex;
use tokio::time::interval;

use crate::{
    http1::tool::Connection,
    http2::lanes::Lanes,
    limits::{IDLE_LIFE, IDLE_PER_ENDPOINT, IDLE_TRUST},
    retries::Retries,
    standing::Standings,
};

/// The idle connections of a data plane, by endpoint, and how endpoints have behaved.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// Those that speak HTTP/2.
    pub(crate) lanes: Lanes,
    pub(crate) standings: Standings,
    pub(crate) retries: Retries,
    idle: Mutex<HashMap<SocketAddr, Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

/// The pools of all threads, for whoever asks how endpoints are doing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pools(Arc<Mutex<Vec<Weak<Pool>>>>);

impl Pools {
    /// One more; it is forgotten with its thread.
    pub(crate) fn add(&self, pool: &Arc<Pool>) {
        let mut pools = self.0.lock();
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// Those that there are.
    pub(crate) fn all(&self) -> Vec<Arc<Pool>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

impl Pool {
    /// A pool, and the task that drops connections which nobody used for long. It ends with the pool.
    pub(crate) fn new() -> Arc<Self> {
        let pool = Arc::new(Self::default());
        tokio::spawn(sweep(Arc::downgrade(&pool)));
        pool
    }

    /// An idle connection to the endpoint, the one used last; only a very fresh one where the request could not be
    /// sent a second time.
    pub(crate) fn take(&self, endpoint: SocketAddr, may_be_resent: bool) -> Option<Box<Connection>> {
        let mut idle = self.idle.lock();
        let connections = idle.get_mut(&endpoint)?;
        while let Some(next) = connections.pop() {
            if !may_be_resent && next.since.elapsed() >= IDLE_TRUST {
                // Those below are older still. This one stays for a request that may be sent again.
                connections.push(next);
                return None;
            }
            if next.connection.is_quiet(!may_be_resent) {
                return Some(next.connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put(&self, endpoint: SocketAddr, connection: Box<Connection>) {
        let mut idle = self.idle.lock();
        let connections = idle.entry(endpoint).or_default();
        if connections.len() < IDLE_PER_ENDPOINT {
            connections.push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }

    fn drop_stale(&self) {
        self.idle.lock().retain(|_, connections| {
            connections.retain(|idle| idle.since.elapsed() < IDLE_LIFE && idle.connection.is_quiet(false));
            !connections.is_empty()
        });
    }
}

async fn sweep(pool: Weak<Pool>) {
    let mut ticks = interval(IDLE_LIFE / 2);
    loop {
        ticks.tick().await;
        match pool.upgrade() {
            Some(pool) => {
                pool.drop_stale();
                pool.lanes.drop_stale();
                pool.standings.forget();
            }
            None => return,
        }
    }
}
