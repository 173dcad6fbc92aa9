//! The stored objects as the admission chain sees them.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use toolforge_chain::World;
use toolforge_kinds::{Kind, Status};

use crate::conversion::Conversion;
use crate::definitions::Kinds;
use crate::store::{Key, Resource, Store};

/// The store, for reading, and the kinds of users.
#[derive(Clone, Debug)]
pub(crate) struct StoredWorld {
    pub(crate) store: Arc<Store>,
    pub(crate) kinds: Arc<Kinds>,
    /// Who converts users' kinds; whoever looks for Services only has no need of it.
    pub(crate) conversion: Option<Arc<Conversion>>,
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

    fn convert<'a>(
        &'a self,
        from: &'a Kind,
        to: &'a Kind,
        object: Value,
    ) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(async move {
            let target = self.kinds.by_resource(to.group, to.version, to.plural);
            let hook = target.as_ref().and_then(|target| target.hook.as_deref());
            let (Some(conversion), Some(target), Some(hook)) = (&self.conversion, &target, hook) else {
                return Ok(toolforge_kinds::convert(from, to, object));
            };
            let converted = conversion
                .values(hook, &target.kind, vec![Arc::new(object)])
                .await?;
            converted
                .into_iter()
                .next()
                .ok_or_else(|| Status::internal("the conversion has lost the object"))
        })
    }
}
