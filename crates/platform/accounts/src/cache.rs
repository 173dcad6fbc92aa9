//! What the cluster has of ours, kept up to date by watches, and a word to the service whenever it changes.
//!
//! One list and watch per kind of object that carries our label. Only the service starts it; reconcilers read
//! it. The cache is updated before the word goes out, so whoever acts on the word sees the change.

use std::{collections::HashMap, pin::pin, sync::Arc};

use futures::StreamExt as _;
use k8s_openapi::api::{
    core::v1::{ConfigMap, LimitRange, Namespace, ResourceQuota},
    networking::v1::NetworkPolicy,
    rbac::v1::{ClusterRoleBinding, Role, RoleBinding},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use toolforge_model::labels;
use toolforge_policy::psp;

use crate::{desired::MANAGER, plan::ObjectKey, reconcile::namespace_key, snapshot::Tool};

/// The kinds of object that the service makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owned {
    Namespace,
    ResourceQuota,
    LimitRange,
    PodSecurityPolicy,
    Role,
    RoleBinding,
    ConfigMap,
    ClusterRoleBinding,
    NetworkPolicy,
}

impl Owned {
    pub(crate) const ALL: [Self; 9] = [
        Self::Namespace,
        Self::ResourceQuota,
        Self::LimitRange,
        Self::PodSecurityPolicy,
        Self::Role,
        Self::RoleBinding,
        Self::ConfigMap,
        Self::ClusterRoleBinding,
        Self::NetworkPolicy,
    ];

    /// The kind of this name.
    pub(crate) fn named(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|owned| owned.resource().kind == kind)
    }

    /// How the API calls it.
    pub(crate) fn resource(self) -> ApiResource {
        match self {
            Self::Namespace => ApiResource::erase::<Namespace>(&()),
            Self::ResourceQuota => ApiResource::erase::<ResourceQuota>(&()),
            Self::LimitRange => ApiResource::erase::<LimitRange>(&()),
            Self::PodSecurityPolicy => {
                let kind = GroupVersionKind::gvk(psp::GROUP, psp::VERSION, psp::KIND);
                ApiResource::from_gvk_with_plural(&kind, psp::PLURAL)
            }
            Self::Role => ApiResource::erase::<Role>(&()),
            Self::RoleBinding => ApiResource::erase::<RoleBinding>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::ClusterRoleBinding => ApiResource::erase::<ClusterRoleBinding>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
        }
    }
}

/// What is known of our objects.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    objects: RwLock<HashMap<ObjectKey, Arc<Value>>>,
}

impl Cache {
    /// Takes what the cluster has of a kind now, for who does not follow it.
    pub(crate) async fn fill(&self, client: &Client, owned: Owned) -> kube::Result<()> {
        let resource = owned.resource();
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let listed = api.list(&ListParams::default().labels(&selector())).await?;
        for object in listed.items {
            self.put(value(&resource, object));
        }
        Ok(())
    }

    /// Whether a tool's namespace says that it has this user id and this home.
    pub(crate) fn has_tool(&self, tool: &Tool) -> bool {
        let found = self.find(&namespace_key(tool.name.namespace().as_str()));
        found.is_some_and(|found| {
            let annotations = &found["metadata"]["annotations"];
            annotations[labels::UID].as_str() == Some(&tool.uid.to_string())
                && annotations[labels::HOME].as_str() == Some(&tool.home.to_string_lossy())
        })
    }

    /// An object, as it was last seen.
    pub(crate) fn find(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        self.objects.read().get(key).cloned()
    }

    /// All objects of a kind.
    pub(crate) fn all(&self, kind: &str) -> Vec<Arc<Value>> {
        self.objects
            .read()
            .iter()
            .filter(|(key, _)| key.kind == kind)
            .map(|(_, object)| object.clone())
            .collect()
    }

    fn put(&self, object: Value) {
        self.objects
            .write()
            .insert(ObjectKey::of(&object), Arc::new(object));
    }

    fn remove(&self, key: &ObjectKey) {
        self.objects.write().remove(key);
    }

    /// Keeps only these of a kind; returns what is gone.
    fn retain(&self, kind: &str, seen: &std::collections::HashSet<ObjectKey>) -> Vec<ObjectKey> {
        let mut objects = self.objects.write();
        let gone: Vec<ObjectKey> = objects
            .keys()
            .filter(|key| key.kind == kind && !seen.contains(key))
            .cloned()
            .collect();
        for key in &gone {
            objects.remove(key);
        }
        gone
    }
}

/// Keeps the cache of one kind; says `changed` for every change, and `filled` once the first list is complete.
pub(crate) async fn keep(
    client: Client,
    owned: Owned,
    cache: Arc<Cache>,
    changed: mpsc::UnboundedSender<ObjectKey>,
    filled: watch::Sender<usize>,
) {
    let resource = owned.resource();
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let events = watcher::watcher(api, watcher::Config::default().labels(&selector())).default_backoff();
    let mut events = pin!(events);
    let mut seen = std::collections::HashSet::new();
    let mut complete = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => seen.clear(),
            Ok(Event::InitApply(object)) => {
                let key = take(&cache, &resource, object);
                seen.insert(key.clone());
                let _ = changed.send(key);
            }
            Ok(Event::InitDone) => {
                for key in cache.retain(&resource.kind, &seen) {
                    let _ = changed.send(key);
                }
                if !complete {
                    complete = true;
                    filled.send_modify(|count| *count += 1);
                }
            }
            Ok(Event::Apply(object)) => {
                let _ = changed.send(take(&cache, &resource, object));
            }
            Ok(Event::Delete(object)) => {
                let key = ObjectKey::of(&value(&resource, object));
                cache.remove(&key);
                let _ = changed.send(key);
            }
            Err(error) => {
                tracing::warn!(%error, kind = resource.kind, "a watch is interrupted and will be taken up again");
            }
        }
    }
}

/// The label selector of everything that the service makes.
pub(crate) fn selector() -> String {
    format!("{}={MANAGER}", labels::MANAGED_BY)
}

fn take(cache: &Cache, resource: &ApiResource, object: DynamicObject) -> ObjectKey {
    let value = value(resource, object);
    let key = ObjectKey::of(&value);
    cache.put(value);
    key
}

/// Items of a list do not say what they are; we know. Who manages which field is more than all the rest of an object,
/// and nobody here asks for it.
fn value(resource: &ApiResource, mut object: DynamicObject) -> Value {
    object.metadata.managed_fields = None;
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["kind"] = Value::from(resource.kind.clone());
    value["apiVersion"] = Value::from(resource.api_version.clone());
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_kept_with_their_kind_and_without_who_manages_them() {
        let object = json!({
            "metadata": { "name": "q", "namespace": "n", "managedFields": [{ "manager": "m" }] },
            "spec": { "hard": { "pods": "1" } },
        });
        let kept = value(
            &Owned::ResourceQuota.resource(),
            serde_json::from_value(object).unwrap(),
        );
        let expected = json!({
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": { "name": "q", "namespace": "n" },
            "spec": { "hard": { "pods": "1" } },
        });
        assert_eq!(kept, expected);
    }
}
