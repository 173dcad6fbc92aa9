//! What the cluster has of ours, kept up to date by watches, and a word to the service whenever it changes.
//!
//! One list and watch per kind of object that carries our label. Only the service starts it; reconcilers read
//! it. The cache is updated before the word goes out, so whoever acts on the word sees the change. No word goes out when
//! nothing has changed that anybody here asks for, or when the change is one of our own (`echoes.rs`).
//!
//! Objects are kept as text: as trees, those of thousands of tools take ten times the memory, and nearly all questions
//! about them are whether they are as they should be, which the text answers (`contained.rs`).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use futures::StreamExt as _;
use k8s_openapi::api::{
    core::v1::{ConfigMap, LimitRange, Namespace, ResourceQuota, ServiceAccount},
    networking::v1::NetworkPolicy,
    rbac::v1::{ClusterRoleBinding, Role, RoleBinding},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
    runtime::watcher::{self, Event},
};
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use toolforge_model::{ToolName, labels};
use toolforge_policy::psp;

use crate::{
    contained::contains,
    desired::MANAGER,
    echoes::Echoes,
    namespace::NamespaceState,
    plan::{ObjectKey, QUOTA},
    reconcile::namespace_key,
    snapshot::Tool,
    standing,
    withdrawn::Withdrawn,
};

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
    ServiceAccount,
}

impl Owned {
    pub(crate) const ALL: [Self; 10] = [
        Self::Namespace,
        Self::ResourceQuota,
        Self::LimitRange,
        Self::PodSecurityPolicy,
        Self::Role,
        Self::RoleBinding,
        Self::ConfigMap,
        Self::ClusterRoleBinding,
        Self::NetworkPolicy,
        Self::ServiceAccount,
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
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
        }
    }
}

/// An object.
#[derive(Debug)]
struct Kept {
    /// Without its version, its status, and what else nobody asks for ([`value`]).
    text: Box<str>,
    /// Its version, as the API counts.
    version: Box<str>,
}

impl Kept {
    fn value(&self) -> Value {
        // It was written from a value.
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The data of a `ConfigMap`, read without a tree of the rest: each account's turn asks for one.
    fn data(&self) -> BTreeMap<String, String> {
        #[derive(Default, Deserialize)]
        struct Found {
            #[serde(default)]
            data: BTreeMap<String, String>,
        }
        let found: Found = serde_json::from_str(&self.text).unwrap_or_default();
        found.data
    }
}

/// What is known of our objects.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// By kind.
    objects: RwLock<HashMap<String, HashMap<ObjectKey, Kept>>>,
    /// The tools that have a namespace which is not being deleted, each with its withdrawal where there is one.
    tools: RwLock<BTreeMap<ToolName, Option<Withdrawn>>>,
    /// Of what we write ourselves.
    pub(crate) echoes: Echoes,
}

impl Cache {
    /// One that has these.
    #[cfg(test)]
    pub(crate) fn of(objects: Vec<Value>) -> Self {
        let cache = Self::default();
        for object in objects {
            cache.put(object);
        }
        cache
    }

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

    /// The tools that have a namespace which is not being deleted, each with its withdrawal where there is one.
    pub(crate) fn tools(&self) -> BTreeMap<ToolName, Option<Withdrawn>> {
        self.tools.read().clone()
    }

    /// Asks about one tool what [`Self::tools`] has of it.
    pub(crate) fn ask_of_tool<T>(
        &self,
        name: &ToolName,
        question: impl FnOnce(Option<&Option<Withdrawn>>) -> T,
    ) -> T {
        question(self.tools.read().get(name))
    }

    /// An object, as it was last seen. Reads its text: where that is enough, ask [`Self::has`] or [`Self::is_as`].
    pub(crate) fn find(&self, key: &ObjectKey) -> Option<Value> {
        self.ask(key, Kept::value)
    }

    /// What a turn has to know of a namespace.
    pub(crate) fn namespace(&self, name: &str) -> Option<NamespaceState> {
        self.ask(&namespace_key(name), |found| NamespaceState::read(&found.text))
    }

    /// The data of a `ConfigMap`; none where there is no such object.
    pub(crate) fn data(&self, key: &ObjectKey) -> BTreeMap<String, String> {
        self.ask(key, Kept::data).unwrap_or_default()
    }

    /// A datum of a `ConfigMap`.
    pub(crate) fn datum(&self, key: &ObjectKey, name: &str) -> Option<String> {
        self.data(key).remove(name)
    }

    /// Whether there is such an object.
    pub(crate) fn has(&self, key: &ObjectKey) -> bool {
        self.ask(key, |_| ()).is_some()
    }

    /// Whether an object is as it should be: `wanted` is the text of that.
    pub(crate) fn is_as(&self, key: &ObjectKey, wanted: &str) -> bool {
        // A quota may not bound more than it should.
        let whole = (key.kind == QUOTA).then_some("hard");
        self.ask(key, |found| contains(&found.text, wanted, whole))
            .unwrap_or_default()
    }

    /// Whether an object was last seen at this version.
    pub(crate) fn is_at(&self, key: &ObjectKey, version: &str) -> bool {
        self.ask(key, |found| &*found.version == version)
            .unwrap_or_default()
    }

    fn ask<T>(&self, key: &ObjectKey, question: impl FnOnce(&Kept) -> T) -> Option<T> {
        self.objects.read().get(&key.kind)?.get(key).map(question)
    }

    /// All objects of a kind.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        let objects = self.objects.read();
        let of_kind = objects.get(kind).into_iter().flat_map(HashMap::values);
        of_kind.map(Kept::value).collect()
    }

    /// Takes an object; whether this is another than before, but for its version.
    fn put(&self, mut object: Value) -> bool {
        let key = ObjectKey::of(&object);
        let version = take_version(&mut object);
        if key.kind == "Namespace" {
            self.know(&key, Some(&object));
        }
        let kept = Kept {
            text: object.to_string().into(),
            version: version.into(),
        };
        let mut objects = self.objects.write();
        let of_kind = objects.entry(key.kind.clone()).or_default();
        if let Some(found) = of_kind.get_mut(&key) {
            let is_other = found.text != kept.text;
            *found = kept;
            is_other
        } else {
            of_kind.insert(key, kept);
            true
        }
    }

    /// Keeps what a namespace says of a tool.
    fn know(&self, key: &ObjectKey, namespace: Option<&Value>) {
        let Some(tool) = ToolName::of_namespace(&key.name) else {
            return;
        };
        match namespace.and_then(standing::tool_of) {
            Some((_, withdrawn)) => self.tools.write().insert(tool, withdrawn),
            None => self.tools.write().remove(&tool),
        };
    }

    fn remove(&self, key: &ObjectKey) {
        if let Some(of_kind) = self.objects.write().get_mut(&key.kind) {
            of_kind.remove(key);
        }
        if key.kind == "Namespace" {
            self.know(key, None);
        }
    }

    /// Keeps only these of a kind; returns what is gone.
    fn retain(&self, kind: &str, seen: &HashSet<ObjectKey>) -> Vec<ObjectKey> {
        let objects = self.objects.read();
        let known = objects.get(kind).into_iter().flat_map(HashMap::keys);
        let gone: Vec<ObjectKey> = known.filter(|key| !seen.contains(key)).cloned().collect();
        drop(objects);
        for key in &gone {
            self.remove(key);
        }
        gone
    }
}

/// Keeps the cache of one kind; says `changed` for every change of somebody else's, and `filled` once the first list is
/// complete.
pub(crate) async fn keep(
    client: Client,
    owned: Owned,
    cache: Arc<Cache>,
    changed: mpsc::UnboundedSender<ObjectKey>,
    filled: watch::Sender<usize>,
) {
    let resource = owned.resource();
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let mut events = toolforge_watch::watch(api, watcher::Config::default().labels(&selector()));
    let mut seen = HashSet::new();
    let mut complete = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => seen = HashSet::new(),
            Ok(Event::InitApply(object)) => {
                seen.insert(take(&cache, &resource, object, &changed));
            }
            Ok(Event::InitDone) => {
                for key in cache.retain(&resource.kind, &std::mem::take(&mut seen)) {
                    let _ = changed.send(key);
                }
                if !complete {
                    complete = true;
                    filled.send_modify(|count| *count += 1);
                }
            }
            Ok(Event::Apply(object)) => {
                take(&cache, &resource, object, &changed);
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

fn take(
    cache: &Cache,
    resource: &ApiResource,
    object: DynamicObject,
    changed: &mpsc::UnboundedSender<ObjectKey>,
) -> ObjectKey {
    let version = object.metadata.resource_version.clone().unwrap_or_default();
    let value = value(resource, object);
    let key = ObjectKey::of(&value);
    let is_other = cache.put(value);
    // Asked in any case: it has to hear of each version.
    let is_own = cache.echoes.is_own(&key, &version);
    if is_other && !is_own {
        // Nobody listens any more at the end of the program.
        let _ = changed.send(key.clone());
    }
    key
}

/// Items of a list do not say what they are; we know. Who manages which field is more than all the rest of an object, and
/// how it stands changes all the time; nobody here asks for either. Nobody asks when it was made, nor for the uid of anything but a
/// namespace: without them most objects are to the letter as they should be.
fn value(resource: &ApiResource, mut object: DynamicObject) -> Value {
    object.metadata.managed_fields = None;
    object.metadata.generation = None;
    object.metadata.creation_timestamp = None;
    if resource.kind != "Namespace" {
        object.metadata.uid = None;
    }
    if let Some(data) = object.data.as_object_mut() {
        data.remove("status");
    }
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["kind"] = Value::from(resource.kind.clone());
    value["apiVersion"] = Value::from(resource.api_version.clone());
    value
}

fn take_version(object: &mut Value) -> String {
    let metadata = object["metadata"].as_object_mut();
    let version = metadata.and_then(|metadata| metadata.remove("resourceVersion"));
    version
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests;
