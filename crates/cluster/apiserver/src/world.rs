//! The stored objects as the admission chain sees them.

use std::sync::Arc;

use serde_json::Value;
use toolforge_chain::World;

use crate::store::{Key, Resource, Store};

/// The store, for reading.
#[derive(Debug)]
pub(crate) struct StoredWorld(pub(crate) Arc<Store>);

impl World for StoredWorld {
    fn list(&self, group: &str, plural: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let Some(resource) = Resource::find(group, plural) else {
            return Vec::new();
        };
        self.0
            .list(resource, namespace)
            .objects
            .iter()
            .map(|stored| stored.value())
            .collect()
    }

    fn get(&self, group: &str, plural: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Value>> {
        let key = Key::new(Resource::find(group, plural)?, namespace, name);
        self.0.get(&key).map(|stored| stored.value())
    }

    fn changed(&self, group: &str, plural: &str) -> Option<u64> {
        Some(self.0.changed(Resource::find(group, plural)?))
    }
}
