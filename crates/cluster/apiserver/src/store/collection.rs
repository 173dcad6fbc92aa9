//! All objects of one resource in memory, and the ring of their latest events.
//!
//! Pure data: the store locks it, the committer changes it, lists and watches read it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;

use super::event::{Effect, Event, Previous};
use super::object::Stored;

/// Events kept per resource for watches that resume and for consistent pages.
const RING_EVENTS: usize = 4096;
/// Bytes of these events at most: large objects have a shorter history.
const RING_BYTES: usize = 16 << 20;

/// An object's place in a listing: namespace, name.
pub(crate) type Place = (String, String);

/// The objects of one resource.
#[derive(Debug)]
pub(crate) struct Collection {
    objects: BTreeMap<Place, Arc<Stored>>,
    ring: VecDeque<Arc<Event>>,
    ring_bytes: usize,
    /// Events at or below this revision may be missing from the ring.
    floor: u64,
    changed: watch::Sender<u64>,
}

/// The ring does not reach back to the revision that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compacted;

impl Collection {
    /// An empty collection whose history begins after `floor`.
    pub(crate) fn new(floor: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            ring: VecDeque::new(),
            ring_bytes: 0,
            floor,
            changed: watch::Sender::new(floor),
        }
    }

    /// One object.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Stored>> {
        self.objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Objects in order, of one namespace or of all, after a place.
    pub(crate) fn list(&self, namespace: Option<&str>, after: Option<&Place>) -> Vec<Arc<Stored>> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let start = match (after, namespace) {
            (Some(place), _) => Excluded(place.clone()),
            (None, Some(namespace)) => Included((namespace.to_owned(), String::new())),
            (None, None) => Unbounded,
        };
        self.objects
            .range((start, Unbounded))
            .take_while(|((found, _), _)| namespace.is_none_or(|wanted| found == wanted))
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// The listing as it was at `revision`, by undoing later events.
    pub(crate) fn list_at(
        &self,
        revision: u64,
        namespace: Option<&str>,
        after: Option<&Place>,
    ) -> Result<Vec<Arc<Stored>>, Compacted> {
        if self.ring.back().is_none_or(|event| event.revision() <= revision) && revision >= self.floor {
            return Ok(self.list(namespace, after));
        }
        if revision < self.floor {
            return Err(Compacted);
        }
        let mut undone: HashMap<Place, Option<Arc<Stored>>> = HashMap::new();
        for event in self
            .ring
            .iter()
            .rev()
            .take_while(|event| event.revision() > revision)
        {
            let before = match &event.previous {
                Previous::Nothing => None,
                Previous::Known(object) => Some(object.clone()),
                Previous::Unknown => return Err(Compacted),
            };
            undone.insert(
                (event.object.key.namespace.clone(), event.object.key.name.clone()),
                before,
            );
        }
        let mut then = self.objects.clone();
        for (place, before) in undone {
            match before {
                Some(object) => then.insert(place, object),
                None => then.remove(&place),
            };
        }
        Ok(then
            .into_iter()
            .filter(|(place, _)| namespace.is_none_or(|wanted| place.0 == wanted))
            .filter(|(place, _)| after.is_none_or(|after| place > after))
            .map(|(_, object)| object)
            .collect())
    }

    /// Events after `revision`, oldest first.
    pub(crate) fn events_after(&self, revision: u64) -> Result<Vec<Arc<Event>>, Compacted> {
        if revision < self.floor {
            return Err(Compacted);
        }
        let start = self.ring.partition_point(|event| event.revision() <= revision);
        Ok(self.ring.range(start..).cloned().collect())
    }

    /// Events after `revision`, oldest first, until they have so many bytes of JSON; and whether these are all.
    pub(crate) fn some_events_after(
        &self,
        revision: u64,
        bytes: usize,
    ) -> Result<(Vec<Arc<Event>>, bool), Compacted> {
        if revision < self.floor {
            return Err(Compacted);
        }
        let start = self.ring.partition_point(|event| event.revision() <= revision);
        let mut events = Vec::new();
        let mut size = 0;
        for event in self.ring.range(start..) {
            if size >= bytes {
                return Ok((events, false));
            }
            size += event.object.length();
            events.push(event.clone());
        }
        Ok((events, true))
    }

    /// The revision of the latest event.
    pub(crate) fn changed(&self) -> u64 {
        *self.changed.borrow()
    }

    /// Is told the revision of each event.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Puts an object that was read from disk, without an event.
    pub(crate) fn load(&mut self, object: Arc<Stored>) {
        let place = (object.key.namespace.clone(), object.key.name.clone());
        self.objects.insert(place, object);
    }

    /// Makes the change of a write and remembers it as an event.
    pub(crate) fn apply(&mut self, effect: Effect, object: Arc<Stored>) -> Arc<Event> {
        let place = (object.key.namespace.clone(), object.key.name.clone());
        let before = match effect {
            Effect::Put => self.objects.insert(place, object.clone()),
            Effect::Removed => self.objects.remove(&place),
        };
        let event = Arc::new(Event::new(
            effect,
            object,
            before.map_or(Previous::Nothing, Previous::Known),
        ));
        self.remember(event.clone());
        event
    }

    /// Adds an event to the ring and wakes watchers.
    pub(crate) fn remember(&mut self, event: Arc<Event>) {
        let revision = event.revision();
        self.ring_bytes += event.object.length();
        self.ring.push_back(event);
        while (self.ring.len() > RING_EVENTS || self.ring_bytes > RING_BYTES)
            && self.ring.len() > 1
            && let Some(forgotten) = self.ring.pop_front()
        {
            self.floor = forgotten.revision();
            self.ring_bytes -= forgotten.object.length();
        }
        self.changed.send_replace(revision);
    }
}

#[cfg(test)]
mod tests;
