//! A limited number of connections, of which the least deserving one makes room for the next.
//!
//! Whoever reaches a port can hold connections and say nothing. If those who come later had to wait, that would keep
//! everybody out; so they do not: the connection that has been silent longest is closed, and where all are at work, the one
//! that has been at the same requests longest.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

/// How long a connection at work is left alone: longer than any honest request takes whose sender does not dawdle.
const AT_WORK: Duration = Duration::from_secs(1);

/// The connections that there are.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    places: HashMap<u64, Arc<Held>>,
}

/// What is known of a connection.
#[derive(Debug)]
struct Held {
    /// Requests under way.
    busy: AtomicUsize,
    /// When it was made, or a request of it came or was answered last.
    changed: Mutex<Instant>,
    cut: CancellationToken,
}

/// The place of one connection; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    held: Arc<Held>,
    places: Arc<Places>,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Held>);

/// What has to be done before there is room.
#[derive(Debug)]
enum Room {
    Now(Place),
    /// One place becomes free as soon as its connection has noticed.
    Soon,
    /// Nobody may be cut off before this moment.
    At(Instant),
}

impl Places {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            taken: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A place for a connection that ends with `cut`, or when another one needs the place.
    pub(crate) async fn take(self: &Arc<Self>, cut: &CancellationToken) -> Place {
        loop {
            match self.room(cut, Instant::now()) {
                Room::Now(place) => return place,
                Room::Soon => self.freed.notified().await,
                Room::At(moment) => {
                    // Somebody may end before.
                    let _ = tokio::time::timeout_at(moment, self.freed.notified()).await;
                }
            }
        }
    }

    fn room(self: &Arc<Self>, cut: &CancellationToken, now: Instant) -> Room {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.places.len() < self.most {
            let held = Arc::new(Held {
                busy: AtomicUsize::new(0),
                changed: Mutex::new(now),
                cut: cut.child_token(),
            });
            let number = taken.next;
            taken.next += 1;
            taken.places.insert(number, Arc::clone(&held));
            return Room::Now(Place {
                number,
                held,
                places: Arc::clone(self),
            });
        }
        let mut worst: Option<((bool, Instant), &Arc<Held>)> = None;
        for held in taken.places.values() {
            if held.cut.is_cancelled() {
                return Room::Soon;
            }
            let merit = (held.busy.load(Ordering::Relaxed) > 0, held.changed());
            if worst.as_ref().is_none_or(|(least, _)| merit < *least) {
                worst = Some((merit, held));
            }
        }
        match worst {
            Some(((true, changed), _)) if now < changed + AT_WORK => Room::At(changed + AT_WORK),
            Some((_, held)) => {
                held.cut.cancel();
                Room::Soon
            }
            None => Room::Soon,
        }
    }
}

impl Held {
    fn changed(&self) -> Instant {
        *self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) {
        *self.changed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Place {
    /// Cancelled when the connection has to end.
    pub(crate) fn cut(&self) -> &CancellationToken {
        &self.held.cut
    }

    /// A request has come; it is under way until the answer drops what this gives.
    pub(crate) fn busy(&self) -> Busy {
        self.held.busy.fetch_add(1, Ordering::Relaxed);
        self.held.change();
        Busy(Arc::clone(&self.held))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.places.remove(&self.number);
        drop(taken);
        // The one who waits may look just now; a permit is kept for the next look.
        self.places.freed.notify_one();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
        self.0.change();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take(places: &Arc<Places>) -> Place {
        places.take(&CancellationToken::new()).await
    }

    async fn full(most: usize) -> (Arc<Places>, Vec<Place>) {
        let places = Places::new(most);
        let mut held = Vec::new();
        for _ in 0..most {
            held.push(take(&places).await);
        }
        (places, held)
    }

    fn cut_off(held: &[Place]) -> Vec<bool> {
        held.iter().map(|place| place.cut().is_cancelled()).collect()
    }

    #[tokio::test]
    async fn who_was_silent_longest_makes_room_and_who_works_stays() {
        let (places, held) = full(3).await;
        let _working = held[0].busy();
        drop(held[1].busy());
        let cut = CancellationToken::new();
        for _ in 0..2 {
            // One is enough, however often one looks.
            assert!(matches!(places.room(&cut, Instant::now()), Room::Soon));
            assert_eq!(cut_off(&held), [false, false, true]);
        }
        drop(held);
        assert!(matches!(places.room(&cut, Instant::now()), Room::Now(_)));
    }

    #[tokio::test]
    async fn where_all_work_the_slowest_makes_room_after_a_while() {
        let (places, held) = full(2).await;
        let (_second, _first) = (held[1].busy(), held[0].busy());
        let cut = CancellationToken::new();
        let now = Instant::now();
        let Room::At(moment) = places.room(&cut, now) else {
            panic!("somebody was cut off at once: {:?}", cut_off(&held));
        };
        assert!(moment <= now + AT_WORK);
        assert!(matches!(places.room(&cut, moment), Room::Soon));
        assert_eq!(cut_off(&held), [false, true]);
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_of_who_ends() {
        let (places, mut held) = full(1).await;
        let _busy = held[0].busy();
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { take(&places).await }
        });
        let cut = held[0].cut().clone();
        cut.cancelled().await;
        held.clear();
        waiting.await.unwrap();
    }
}
