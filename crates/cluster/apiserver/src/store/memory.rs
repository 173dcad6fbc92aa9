//! The whole current state: one collection per resource and the latest visible revision.

use std::collections::HashMap;
use std::sync::Arc;

use super::collection::Collection;
use super::key::{Key, Resource};
use super::object::Stored;

/// What readers see: only what is durable.
#[derive(Debug)]
pub(crate) struct Memory {
    collections: HashMap<Resource, Collection>,
    /// The latest revision that is on disk and in the collections.
    pub(crate) revision: u64,
    /// Where history begins.
    floor: u64,
}

impl Memory {
    /// No objects, with one collection for each built-in kind; history begins after `floor`.
    pub(crate) fn new(floor: u64) -> Self {
        let collections = toolforge_kinds::all()
            .iter()
            .map(|kind| (Resource::of(kind), Collection::new(floor)))
            .collect();
        Self {
            collections,
            revision: floor,
            floor,
        }
    }

    /// The collection of a resource; `None` when it is none of ours.
    pub(crate) fn collection(&self, resource: Resource) -> Option<&Collection> {
        self.collections.get(&resource)
    }

    /// The collection of a resource, made when it is not there.
    pub(crate) fn collection_mut(&mut self, resource: Resource) -> &mut Collection {
        let floor = self.floor;
        self.collections
            .entry(resource)
            .or_insert_with(|| Collection::new(floor))
    }

    /// All objects of all resources.
    pub(crate) fn objects(&self) -> Vec<Arc<Stored>> {
        self.collections
            .values()
            .flat_map(|collection| collection.list(None, None))
            .collect()
    }

    /// One object.
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Stored>> {
        self.collection(key.resource)?.get(&key.namespace, &key.name)
    }
}
