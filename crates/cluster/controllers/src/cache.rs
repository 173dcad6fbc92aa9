//! The objects of one kind as far as they are known: filled by `watch.rs`, and by the answers to our own writes.
//!
//! A controller that has just created an object sees it here at once, before the watch brings it. That replaces the
//! "expectations" of other implementations, and is sound because resource versions are one order: an answer is taken
//! only if it is newer than everything that the watch has delivered, and an older watch event never undoes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::key::Key;
use crate::object::Object;

/// What changed: `old` and `new` are absent for objects that were not there before or are gone now.
pub(crate) struct Change<'a, K> {
    /// The object as it was known before.
    pub(crate) old: Option<&'a Arc<K>>,
    /// The object as it is known now.
    pub(crate) new: Option<&'a Arc<K>>,
}

impl<K> Change<'_, K> {
    /// Both sides of the change that exist, the old one first.
    pub(crate) fn sides(&self) -> impl Iterator<Item = &Arc<K>> {
        self.old.into_iter().chain(self.new)
    }
}

type Handler<K> = Box<dyn Fn(&Change<'_, K>) + Send + Sync>;

/// A cache with handlers, which run synchronously and in order for every change: they may only queue keys.
pub(crate) struct Cache<K> {
    state: RwLock<State<K>>,
    handlers: RwLock<Vec<Handler<K>>>,
    /// Held while a change is made and told, so that handlers see changes in order.
    turn: Mutex<()>,
    synced: watch::Sender<bool>,
}

type Controlled<K> = HashMap<(String, String), BTreeMap<String, Arc<K>>>;

struct State<K> {
    objects: BTreeMap<String, BTreeMap<String, Arc<K>>>,
    /// The same objects by namespace and uid of their controller; the uid is empty for those without one.
    controlled: Option<Controlled<K>>,
    /// The newest resource version that list or watch have delivered.
    seen: u64,
}

impl<K: Object> Cache<K> {
    /// An empty cache, not yet synchronised.
    pub(crate) fn new() -> Self {
        Self::holding(None)
    }

    /// An empty cache that can be asked for what a controller owns: see [`Cache::claimable`].
    pub(crate) fn with_controllers() -> Self {
        Self::holding(Some(HashMap::new()))
    }

    fn holding(controlled: Option<Controlled<K>>) -> Self {
        Self {
            state: RwLock::new(State {
                objects: BTreeMap::new(),
                controlled,
                seen: 0,
            }),
            handlers: RwLock::new(Vec::new()),
            turn: Mutex::new(()),
            synced: watch::Sender::new(false),
        }
    }

    /// Calls `handler` for every change from now on.
    pub(crate) fn on_change(&self, handler: impl Fn(&Change<'_, K>) + Send + Sync + 'static) {
        self.handlers.write().push(Box::new(handler));
    }

    /// The object of that name.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.state.read().objects.get(namespace)?.get(name).cloned()
    }

    /// The object of that key.
    pub(crate) fn by_key(&self, key: &Key) -> Option<Arc<K>> {
        self.get(&key.namespace, &key.name)
    }

    /// All objects of a namespace, by name.
    pub(crate) fn namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        self.state
            .read()
            .objects
            .get(namespace)
            .map(|all| all.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The objects of a namespace that the owner with that uid controls, and those that nobody does.
    pub(crate) fn claimable(&self, namespace: &str, uid: &str) -> Vec<Arc<K>> {
        let state = self.state.read();
        let Some(controlled) = &state.controlled else {
            return Vec::new();
        };
        let of = |uid: &str| {
            let all = controlled.get(&(namespace.to_owned(), uid.to_owned()));
            all.into_iter().flat_map(|all| all.values().cloned())
        };
        of(uid).chain(of("")).collect()
    }

    /// All objects, by namespace and name.
    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.state
            .read()
            .objects
            .values()
            .flat_map(|all| all.values().cloned())
            .collect()
    }

    /// Waits until the first list is in.
    pub(crate) async fn synced(&self) {
        // An error means that the sender is gone, which cannot be: it lives in `self`.
        _ = self.synced.subscribe().wait_for(|done| *done).await;
    }

    /// Declares the cache complete: after the first list, or because the API does not serve the kind.
    pub(crate) fn mark_synced(&self) {
        self.synced.send_replace(true);
    }

    /// Takes the answer to one of our own writes, unless the watch or a later answer is already past it.
    pub(crate) fn absorb(&self, mut object: K) {
        object.thin();
        let _turn = self.turn.lock();
        let version = object.written_at();
        let known = self.by_key(&Key::of(&object)).map(|known| known.written_at());
        if version > self.state.read().seen && known.is_none_or(|known| known < version) {
            self.put(&Arc::new(object));
        }
    }

    /// Takes note that we have deleted `object` for good, before the watch says so.
    pub(crate) fn forget(&self, object: &K) {
        let _turn = self.turn.lock();
        self.take_same(object);
    }

    /// Takes an addition or modification from the watch.
    pub(crate) fn apply(&self, mut object: K) {
        object.thin();
        let _turn = self.turn.lock();
        let version = object.written_at();
        self.saw(version);
        let known = self.by_key(&Key::of(&object));
        if known.is_none_or(|known| known.written_at() < version || version == 0) {
            self.put(&Arc::new(object));
        }
    }

    /// Takes a deletion from the watch.
    pub(crate) fn remove(&self, object: &K) {
        let _turn = self.turn.lock();
        self.saw(object.written_at());
        self.take_same(object);
    }

    /// Takes a bookmark from the watch.
    pub(crate) fn bookmark(&self, version: u64) {
        let _turn = self.turn.lock();
        self.saw(version);
    }

    /// Takes all objects that there were at `version`, thinned: what is not among them and not newer is gone.
    pub(crate) fn replace(&self, objects: BTreeMap<Key, Arc<K>>, version: u64) {
        let _turn = self.turn.lock();
        self.saw(version);
        let gone: Vec<Key> = self
            .all()
            .iter()
            .filter(|known| known.written_at() <= version)
            .map(|known| Key::of(&**known))
            .filter(|key| !objects.contains_key(key))
            .collect();
        for key in gone {
            self.take(&key);
        }
        for (key, object) in objects {
            let newer = object.written_at();
            let known = self.by_key(&key).map(|known| known.written_at());
            if known.is_none_or(|known| known < newer || newer == 0) {
                self.put(&object);
            }
        }
        self.mark_synced();
    }

    /// Forgets everything: the API no longer serves the kind.
    pub(crate) fn clear(&self) {
        let _turn = self.turn.lock();
        for object in self.all() {
            self.take(&Key::of(&*object));
        }
    }

    fn saw(&self, version: u64) {
        let mut state = self.state.write();
        state.seen = state.seen.max(version);
    }

    fn put(&self, object: &Arc<K>) {
        let key = Key::of(&**object);
        let mut state = self.state.write();
        let old = state
            .objects
            .entry(key.namespace.clone())
            .or_default()
            .insert(key.name.clone(), Arc::clone(object));
        state.reindex(&key, old.as_ref(), Some(object));
        drop(state);
        self.tell(&Change {
            old: old.as_ref(),
            new: Some(object),
        });
    }

    /// Takes `object` out, but not another one that has its name by now.
    fn take_same(&self, object: &K) {
        let key = Key::of(object);
        if self.by_key(&key).is_some_and(|known| known.uid() == object.uid()) {
            self.take(&key);
        }
    }

    fn take(&self, key: &Key) {
        let old = {
            let mut state = self.state.write();
            let Some(objects) = state.objects.get_mut(&key.namespace) else {
                return;
            };
            let old = objects.remove(&key.name);
            if objects.is_empty() {
                state.objects.remove(&key.namespace);
            }
            state.reindex(key, old.as_ref(), None);
            old
        };
        if old.is_some() {
            self.tell(&Change {
                old: old.as_ref(),
                new: None,
            });
        }
    }

    fn tell(&self, change: &Change<'_, K>) {
        for handler in self.handlers.read().iter() {
            handler(change);
        }
    }
}

impl<K: Object> State<K> {
    fn reindex(&mut self, key: &Key, old: Option<&Arc<K>>, new: Option<&Arc<K>>) {
        let Some(controlled) = &mut self.controlled else {
            return;
        };
        let place = |object: &Arc<K>| {
            let uid = object.controller_uid().unwrap_or_default();
            (key.namespace.clone(), uid.to_owned())
        };
        if let Some(place) = old.map(place)
            && let Some(all) = controlled.get_mut(&place)
        {
            all.remove(&key.name);
            if all.is_empty() {
                controlled.remove(&place);
            }
        }
        if let Some(new) = new {
            let all = controlled.entry(place(new)).or_default();
            all.insert(key.name.clone(), Arc::clone(new));
        }
    }
}

/// A resource version as a number; 0 for none.
pub(crate) fn parse_version(version: Option<&str>) -> u64 {
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
