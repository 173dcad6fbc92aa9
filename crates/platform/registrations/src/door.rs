//! Who is let in at a door: so many at once, and of one address no more than its share.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

/// A door with a limit.
#[derive(Debug)]
pub(crate) struct Door {
    most: usize,
    most_of_one: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// Somebody inside; dropped, it makes room.
#[derive(Debug)]
pub(crate) struct Guest {
    door: Arc<Door>,
    address: IpAddr,
}

impl Door {
    pub(crate) fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_of_one,
            inside: Mutex::default(),
        })
    }

    /// Lets somebody in, if there is room.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let mut inside = self.inside.lock();
        let own = inside.of.get(&address).copied().unwrap_or_default();
        if inside.all >= self.most || own >= self.most_of_one {
            return None;
        }
        inside.all += 1;
        inside.of.insert(address, own + 1);
        Some(Guest {
            door: self.clone(),
            address,
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inside = self.door.inside.lock();
        inside.all -= 1;
        if let Some(own) = inside.of.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                inside.of.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Door;

    #[test]
    fn one_address_does_not_keep_the_others_out() {
        let door = Door::new(3, 2);
        let (one, two) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let guests = [door.enter(one), door.enter(one)];
        assert!(guests.iter().all(Option::is_some));
        assert!(door.enter(one).is_none());
        let other = door.enter(two);
        assert!(other.is_some() && door.enter(two).is_none());
        drop(guests);
        assert!(door.enter(two).is_some() && door.enter(one).is_some());
        drop(other);
        assert_eq!(door.inside.lock().of.len(), 0);
    }
}
