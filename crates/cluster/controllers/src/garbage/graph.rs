//! Who owns whom, over all kinds: fed by every cache, read by the collector.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::key::Key;
use crate::object::Object;

/// A kind, in whatever version it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupKind {
    /// Its group; empty for the core.
    pub(crate) group: String,
    /// Its name.
    pub(crate) kind: String,
}

/// The part of an object that garbage collection is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Thing {
    /// Its kind.
    pub(crate) kind: Arc<GroupKind>,
    /// Its name.
    pub(crate) key: Key,
    /// Its owners.
    pub(crate) owners: Vec<OwnerReference>,
    /// Its finalizers.
    pub(crate) finalizers: Vec<String>,
    /// Whether it is being deleted.
    pub(crate) dying: bool,
}

impl Thing {
    /// What matters of `object`, and its uid.
    pub(crate) fn of(kind: &Arc<GroupKind>, object: &impl Object) -> (String, Self) {
        let thing = Self {
            kind: Arc::clone(kind),
            key: Key::of(object),
            owners: object.owners(),
            finalizers: object.finalizers(),
            dying: object.is_dying(),
        };
        (object.uid().to_owned(), thing)
    }

    /// Whether it is the object that `dependent` names as its owner: the uid alone may have been copied from elsewhere.
    pub(crate) fn is_meant_by(&self, owner: &OwnerReference, dependent: &Self) -> bool {
        let place = &self.key.namespace;
        self.key.name == owner.name
            && self.kind.kind == owner.kind
            && (place.is_empty() || *place == dependent.key.namespace)
    }

    /// Whether it carries that finalizer.
    pub(crate) fn has_finalizer(&self, name: &str) -> bool {
        self.finalizers.iter().any(|finalizer| finalizer == name)
    }
}

/// All objects by uid, and the uids of those that each owns.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    things: HashMap<String, Thing>,
    dependents: HashMap<String, HashSet<String>>,
}

impl Graph {
    /// The object with that uid.
    pub(crate) fn get(&self, uid: &str) -> Option<&Thing> {
        self.things.get(uid)
    }

    /// The uids of the objects that name `uid` as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<String> {
        self.dependents
            .get(uid)
            .map(|all| all.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Puts an object in or over its former self; returns the uids that have to be looked at.
    pub(crate) fn put(&mut self, uid: String, thing: Thing) -> Vec<String> {
        let old = self.things.remove(&uid);
        self.unlink(&uid, old.as_ref());
        for owner in &thing.owners {
            self.dependents
                .entry(owner.uid.clone())
                .or_default()
                .insert(uid.clone());
        }
        let mut look_at = Vec::new();
        let news = old.as_ref() != Some(&thing);
        let owner_missing = thing.owners.iter().any(|owner| {
            !self
                .things
                .get(&owner.uid)
                .is_some_and(|known| known.is_meant_by(owner, &thing))
        });
        if news && ((owner_missing && !thing.dying) || (thing.dying && !thing.finalizers.is_empty())) {
            look_at.push(uid.clone());
        }
        // An owner that waits for its dependents has to hear when one of them lets go of it.
        if let Some(old) = &old {
            look_at.extend(self.waiting_owners(old));
        }
        self.things.insert(uid, thing);
        look_at
    }

    /// Takes an object out; returns the uids that have to be looked at.
    pub(crate) fn remove(&mut self, uid: &str) -> Vec<String> {
        let old = self.things.remove(uid);
        self.unlink(uid, old.as_ref());
        let mut look_at = self.dependents(uid);
        if let Some(old) = &old {
            look_at.extend(self.waiting_owners(old));
        }
        look_at
    }

    fn waiting_owners(&self, thing: &Thing) -> Vec<String> {
        let owners = thing.owners.iter().map(|owner| &owner.uid);
        owners
            .filter(|uid| self.things.get(*uid).is_some_and(|owner| owner.dying))
            .cloned()
            .collect()
    }

    fn unlink(&mut self, uid: &str, old: Option<&Thing>) {
        for owner in old.iter().flat_map(|old| &old.owners) {
            if let Some(dependents) = self.dependents.get_mut(&owner.uid) {
                dependents.remove(uid);
                if dependents.is_empty() {
                    self.dependents.remove(&owner.uid);
                }
            }
        }
    }
}
