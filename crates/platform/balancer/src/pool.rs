//! The targets of a service as connections share them: who gets which, who waits, who is out.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Instant};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout_at};

use crate::{
    figures::TargetFigures,
    settings::ServiceSettings,
    targets::{Choice, Targets},
};

/// The targets of one service.
#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    /// Told once for each connection that ended, and when a target came back: somebody may have room.
    room: Notify,
}

#[derive(Debug)]
struct State {
    targets: Targets,
    waiting: usize,
    /// Wakes the check of a target.
    checks: HashMap<SocketAddr, Arc<Notify>>,
}

/// Why a connection gets no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// There is nobody, or none took it.
    #[error("no target takes connections")]
    Nobody,
    /// As many wait as may.
    #[error("all targets are full, and so is the queue")]
    QueueFull,
    /// It waited for as long as it may.
    #[error("all targets stayed full")]
    Waited,
}

/// A connection that is counted at its target until this is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    pub(crate) address: SocketAddr,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.state.lock().targets.ended(self.address);
        self.pool.room.notify_one();
    }
}

/// A connection that is counted in the queue until this is dropped.
struct Waiting<'a>(&'a Pool);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state.lock().waiting -= 1;
    }
}

impl Pool {
    pub(crate) fn new(service: ServiceSettings) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                targets: Targets::new(service),
                waiting: 0,
                checks: HashMap::new(),
            }),
            room: Notify::new(),
        })
    }

    /// What it goes by now.
    pub(crate) fn service(&self) -> Arc<ServiceSettings> {
        self.state.lock().targets.service().clone()
    }

    /// Goes by other settings; connections under way go on.
    pub(crate) fn change(&self, service: ServiceSettings) {
        self.state.lock().targets.change(service);
        self.room.notify_waiters();
    }

    /// A target for a connection for which these were tried in vain; waits for room where all are full.
    pub(crate) async fn acquire(self: &Arc<Self>, tried: &[SocketAddr]) -> Result<Lease, Refused> {
        let (deadline, most_waiting) = {
            let state = self.state.lock();
            let service = state.targets.service();
            let deadline = tokio::time::Instant::now() + service.queue_timeout();
            (deadline, service.max_queue)
        };
        let mut waiting = None;
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            // What is told between the look and the wait counts.
            room.as_mut().enable();
            {
                let mut state = self.state.lock();
                // Who comes now stands behind those who wait.
                let is_behind_others = waiting.is_none() && state.waiting > 0;
                let choice = if is_behind_others {
                    Choice::Full
                } else {
                    state.targets.choose(tried, Instant::now())
                };
                match choice {
                    Choice::Target(address) => {
                        let pool = self.clone();
                        return Ok(Lease { pool, address });
                    }
                    Choice::Nobody => return Err(Refused::Nobody),
                    Choice::Full if waiting.is_some() => {}
                    Choice::Full if state.waiting >= most_waiting => return Err(Refused::QueueFull),
                    Choice::Full => {
                        state.waiting += 1;
                        waiting = Some(Waiting(self));
                    }
                }
            }
            if timeout_at(deadline, room).await.is_err() {
                return Err(Refused::Waited);
            }
        }
    }

    /// How its targets are, and how many connections wait.
    pub(crate) fn figures(&self) -> (Vec<TargetFigures>, usize) {
        let state = self.state.lock();
        (state.targets.figures(), state.waiting)
    }

    /// Notes that a target did not take a connection: it is out, and its check looks at it at once.
    pub(crate) fn connection_failed(&self, address: SocketAddr) {
        let mut state = self.state.lock();
        let is_news = state.targets.health(address).connection_failed();
        if let Some(check) = state.checks.get(&address) {
            check.notify_one();
        }
        let service = &state.targets.service().name;
        if is_news {
            tracing::warn!(service, target = %address, "a target is out: it took no connection");
        }
    }

    /// Notes what a check said; whether the target is up.
    pub(crate) fn checked(
        &self,
        address: SocketAddr,
        problem: Option<&(dyn std::error::Error + 'static)>,
    ) -> bool {
        let mut state = self.state.lock();
        let check = state.targets.service().check.clone();
        let health = state.targets.health(address);
        let is_news = health.checked(problem.is_none(), &check, Instant::now());
        let is_up = health.is_up();
        let service = &state.targets.service().name;
        if is_news && is_up {
            tracing::info!(service, target = %address, "a target is up again");
            self.room.notify_waiters();
        } else if is_news {
            tracing::warn!(service, target = %address, problem, "a target is out: its checks fail");
        }
        is_up
    }

    /// Whether a target is up, as far as is known.
    pub(crate) fn is_up(&self, address: SocketAddr) -> bool {
        self.state.lock().targets.is_up(address)
    }

    /// What wakes the check of a target before its time.
    pub(crate) fn waker(&self, address: SocketAddr) -> Arc<Notify> {
        let waker = Arc::new(Notify::new());
        self.state.lock().checks.insert(address, waker.clone());
        waker
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        task::{Context, Waker},
        time::Duration,
    };

    use tokio::time::timeout;

    use super::*;
    use crate::settings::BalancerSettings;

    /// A target for one connection at a time.
    fn service(keys: &str) -> ServiceSettings {
        let text = format!(
            "services: [{{ name: a, listen: '127.0.0.1:1', targets: [{{ address: '10.0.0.1:1' }}], \
             maxConnectionsPerTarget: 1{keys} }}]"
        );
        let balance = BalancerSettings::read(&text).unwrap().resolve().unwrap();
        balance.services[0].clone()
    }

    fn target() -> SocketAddr {
        ([10, 0, 0, 1], 1).into()
    }

    async fn in_time<T>(future: impl Future<Output = T>) -> T {
        timeout(Duration::from_mins(1), future)
            .await
            .expect("it waits on and on")
    }

    fn waits(acquiring: Pin<&mut impl Future>) -> bool {
        acquiring
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    }

    #[tokio::test]
    async fn who_waits_longer_is_served_first() {
        let pool = Pool::new(service(", maxQueue: 2"));
        let first = pool.acquire(&[]).await.unwrap();
        let mut second = pin!(pool.acquire(&[]));
        assert!(waits(second.as_mut()));
        drop(first);
        // There is room, but not for the one who comes now.
        let mut third = pin!(pool.acquire(&[]));
        assert!(waits(third.as_mut()));
        let second = in_time(second).await.unwrap();
        assert!(waits(third.as_mut()));
        drop(second);
        in_time(third).await.unwrap();
    }

    #[tokio::test]
    async fn nobody_waits_for_longer_than_the_queue_allows_and_leaves_its_place() {
        let pool = Pool::new(service(", maxQueue: 1, queueTimeoutSeconds: 1"));
        let _first = pool.acquire(&[]).await.unwrap();
        for _ in 0..2 {
            let began = Instant::now();
            let refused = in_time(pool.acquire(&[])).await.err();
            assert_eq!(refused, Some(Refused::Waited));
            assert!(began.elapsed() >= Duration::from_secs(1));
        }
        assert_eq!(pool.figures().1, 0);
    }

    #[tokio::test]
    async fn who_waits_hears_of_a_target_that_is_back() {
        let mut service = service("");
        let mut other = service.targets[0].clone();
        other.address = ([10, 0, 0, 2], 1).into();
        service.targets.push(other);
        let pool = Pool::new(service);
        pool.connection_failed(target());
        // The one that stays up is full then.
        let _first = pool.acquire(&[]).await.unwrap();
        let mut second = pin!(pool.acquire(&[]));
        assert!(waits(second.as_mut()));
        for _ in 0..pool.service().check.rise {
            pool.checked(target(), None);
        }
        assert_eq!(in_time(second).await.unwrap().address, target());
    }

    #[tokio::test]
    async fn who_waits_hears_of_other_settings() {
        let pool = Pool::new(service(""));
        let _first = pool.acquire(&[]).await.unwrap();
        let mut second = pin!(pool.acquire(&[]));
        assert!(waits(second.as_mut()));
        let mut larger = service("");
        larger.max_connections_per_target = 2;
        pool.change(larger);
        in_time(second).await.unwrap();
    }

    #[tokio::test]
    async fn a_failed_connection_has_the_target_looked_at() {
        let pool = Pool::new(service(""));
        let waker = pool.waker(target());
        let mut woken = pin!(waker.notified());
        assert!(waits(woken.as_mut()));
        pool.connection_failed(target());
        in_time(woken).await;
    }

    #[test]
    fn a_target_that_comes_anew_is_up_whatever_it_was_before() {
        let pool = Pool::new(service(""));
        pool.connection_failed(target());
        let mut without = service("");
        let there = std::mem::take(&mut without.targets);
        pool.change(without.clone());
        without.targets = there;
        pool.change(without);
        assert!(pool.figures().0[0].is_up);
    }
}
