//! The stored objects as the admission chain sees them.

use std::sync::Arc;

use serde_json::Value;
use toolforge_chain::World;
use toolforge_kinds::Kind;

use crate::definitions::Kinds;
use crate::store::{Key, Resource, Store};

/// The store, for reading, and the kinds of users.
#[derive(Debug)]
pub(crate) struct StoredWorld {
    pub(crate) store: Arc<Store>,
    pub(crate) kinds: Arc<Kinds>,
}

impl World for StoredWorld {
    fn list(&self, group: &str, plural: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let Some(resource) = Resource::find(group, plural) else {
            return Vec::new();
        };
        self.store
            .list(resource, namespace)
            .objects
            .iter()
            .map(|stored| stored.value())
            .collect()
    }

    fn get(&self, group: &str, plural: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Value>> {
        let key = Key::new(Resource::find(group, plural)?, namespace, name);
        self.store.get(&key).map(|stored| stored.value())
    }

    fn versions(&self, group: &str, plural: &str) -> Vec<&'static Kind> {
        self.kinds.versions(group, plural)
    }

    fn changed(&self, group: &str, plural: &str) -> Option<u64> {
        Some(self.store.changed(Resource::find(group, plural)?))
    }
}
