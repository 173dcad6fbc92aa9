//! How much of the gateway one tool may have: requests under way, and upgraded connections, over all threads. So a tool that
//! hangs fills its own room, and takes nothing from others.
//!
//! A room that has space costs a look into the thread's own map and a few atomic operations; nothing is allocated. Rooms go by
//! namespace, and outlive changes of the table.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use toolforge_model::Problems;

use crate::{ToolLimitsSettings, limits::ROOMS};

/// What each tool may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoomSize {
    /// Requests, until the last byte of their answers.
    pub(crate) requests: usize,
    /// Connections that became something else.
    pub(crate) upgraded: usize,
    /// Requests that wait.
    pub(crate) waiting: usize,
    /// How long they wait.
    pub(crate) patience: Duration,
}

/// What each tool may have at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomSizes {
    /// Those that are not named.
    pub(crate) of_all: RoomSize,
    /// Others, by namespace.
    pub(crate) of: HashMap<String, RoomSize>,
}

impl RoomSizes {
    /// What the tool of this namespace may have.
    pub(crate) fn size(&self, namespace: &str) -> RoomSize {
        if self.of.is_empty() {
            return self.of_all;
        }
        self.of.get(namespace).copied().unwrap_or(self.of_all)
    }
}

impl Default for RoomSizes {
    /// As without a settings file.
    fn default() -> Self {
        ToolLimitsSettings::default().resolve(&mut Problems::default())
    }
}

/// A place in a room, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is there to be dropped")] OwnedSemaphorePermit);

/// The place of an upgraded connection, on its way to it with the answer.
#[derive(Clone, Debug)]
pub(crate) struct Staying(#[expect(dead_code, reason = "it is there to be dropped")] Arc<Place>);

impl Staying {
    /// It takes this place with it.
    pub(crate) fn with(place: Place) -> Self {
        Self(Arc::new(place))
    }
}

/// The room is full, and so is the queue before it; or nobody left it in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The rooms of all tools, as all threads know them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rooms(Arc<Mutex<HashMap<Box<str>, Arc<Room>>>>);

/// The rooms that one thread has come by.
#[derive(Debug, Default)]
pub(crate) struct OwnRooms {
    all: Rooms,
    own: Mutex<HashMap<Box<str>, Arc<Room>>>,
}

/// How full a room is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    pub(crate) requests: usize,
    pub(crate) upgraded: usize,
    pub(crate) waiting: usize,
}

#[derive(Debug)]
struct Room {
    size: RoomSize,
    requests: Arc<Semaphore>,
    upgraded: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// One that waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Rooms {
    /// How full the room of this namespace is; empty where nobody has come yet.
    pub(crate) fn filled(&self, namespace: &str) -> Filled {
        let rooms = self.0.lock();
        rooms.get(namespace).map(|room| room.filled()).unwrap_or_default()
    }

    fn room(&self, namespace: &str, size: RoomSize) -> Arc<Room> {
        let mut rooms = self.0.lock();
        if let Some(room) = rooms.get(namespace).filter(|room| room.size == size) {
            return room.clone();
        }
        if rooms.len() >= ROOMS {
            // Those that nobody is in are made again when somebody comes.
            rooms.retain(|_, room| Arc::strong_count(room) > 1);
        }
        let room = Arc::new(Room::new(size));
        rooms.insert(namespace.into(), room.clone());
        room
    }
}

impl OwnRooms {
    /// What a thread knows at first.
    pub(crate) fn new(all: Rooms) -> Self {
        Self {
            all,
            own: Mutex::default(),
        }
    }

    /// A place for a request of this namespace, if there is one at once.
    pub(crate) fn enter(&self, namespace: &str, size: RoomSize) -> Result<Place, Full> {
        let mut own = self.own.lock();
        if let Some(room) = own.get(namespace).filter(|room| room.size == size) {
            return room.enter();
        }
        self.learn(&mut own, namespace, size).enter()
    }

    /// A place for a request of this namespace, for which it waits where there is a place to wait.
    pub(crate) async fn wait(&self, namespace: &str, size: RoomSize) -> Result<Place, Full> {
        self.room(namespace, size).wait().await
    }

    /// A place for an upgraded connection of this namespace.
    pub(crate) fn stay(&self, namespace: &str, size: RoomSize) -> Result<Place, Full> {
        place(&self.room(namespace, size).upgraded)
    }

    fn room(&self, namespace: &str, size: RoomSize) -> Arc<Room> {
        let mut own = self.own.lock();
        match own.get(namespace).filter(|room| room.size == size) {
            Some(room) => room.clone(),
            None => self.learn(&mut own, namespace, size),
        }
    }

    fn learn(&self, own: &mut HashMap<Box<str>, Arc<Room>>, namespace: &str, size: RoomSize) -> Arc<Room> {
        if own.len() >= ROOMS {
            own.clear();
        }
        let room = self.all.room(namespace, size);
        own.insert(namespace.into(), room.clone());
        room
    }
}

impl Room {
    fn new(size: RoomSize) -> Self {
        Self {
            size,
            requests: Arc::new(Semaphore::new(size.requests)),
            upgraded: Arc::new(Semaphore::new(size.upgraded)),
            waiting: AtomicUsize::new(0),
        }
    }

    fn filled(&self) -> Filled {
        Filled {
            requests: self
                .size
                .requests
                .saturating_sub(self.requests.available_permits()),
            upgraded: self
                .size
                .upgraded
                .saturating_sub(self.upgraded.available_permits()),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    fn enter(&self) -> Result<Place, Full> {
        place(&self.requests)
    }

    /// Waits in the order in which requests came.
    async fn wait(&self) -> Result<Place, Full> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.size.waiting {
            return Err(Full);
        }
        match timeout(self.size.patience, self.requests.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place(permit)),
            _ => Err(Full),
        }
    }
}

fn place(semaphore: &Arc<Semaphore>) -> Result<Place, Full> {
    let permit = semaphore.clone().try_acquire_owned();
    permit.map(Place).map_err(|_| Full)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Full, OwnRooms, RoomSize, Rooms};
    use crate::limits::ROOMS;

    const SIZE: RoomSize = RoomSize {
        requests: 2,
        upgraded: 1,
        waiting: 1,
        patience: Duration::from_millis(20),
    };

    #[tokio::test]
    async fn threads_share_a_room_and_tools_do_not() {
        let all = Rooms::default();
        let (one, other) = (OwnRooms::new(all.clone()), OwnRooms::new(all));
        let first = one.enter("tool-a", SIZE).unwrap();
        let _second = other.enter("tool-a", SIZE).unwrap();
        assert_eq!(one.enter("tool-a", SIZE).unwrap_err(), Full);
        assert_eq!(one.all.filled("tool-a").requests, 2);
        one.enter("tool-b", SIZE).unwrap();
        assert_eq!(one.all.filled("tool-b"), one.all.filled("nobody"), "it has left");
        // One waits, and another does not.
        let waits = one.wait("tool-a", SIZE);
        let turned_away = async {
            let away = other.wait("tool-a", SIZE).await;
            drop(first);
            away
        };
        let (waited, away) = tokio::join!(waits, turned_away);
        assert!(waited.is_ok());
        assert_eq!(away.unwrap_err(), Full);
        assert_eq!(
            one.wait("tool-a", SIZE).await.unwrap_err(),
            Full,
            "nobody leaves in time"
        );
        drop(waited);
        one.enter("tool-a", SIZE).unwrap();
        // Upgraded connections have their own.
        let stays = one.stay("tool-a", SIZE).unwrap();
        assert_eq!(other.stay("tool-a", SIZE).unwrap_err(), Full);
        drop(stays);
        other.stay("tool-a", SIZE).unwrap();
    }

    #[test]
    fn another_size_is_another_room() {
        let rooms = OwnRooms::default();
        let _places = [rooms.enter("a", SIZE).unwrap(), rooms.enter("a", SIZE).unwrap()];
        let larger = RoomSize { requests: 3, ..SIZE };
        rooms.enter("a", larger).unwrap();
        assert_eq!(rooms.all.room("a", larger).size, larger);
    }

    #[test]
    fn memory_is_bounded() {
        let rooms = OwnRooms::default();
        for number in 0..ROOMS + 10 {
            rooms.enter(&format!("tool-{number}"), SIZE).unwrap();
        }
        assert!(rooms.own.lock().len() <= ROOMS);
        assert!(rooms.all.0.lock().len() <= 2 * ROOMS);
    }
}
