//! The kinds that users have defined: from `CustomResourceDefinition`s in the store to what requests find.
//!
//! [`Kinds`] follows the store from inside, so a definition that is established serves before its writer is answered.
//! The chore keeps conditions and ends what is being deleted. Built-in kinds are not here: they are found first, and
//! without a look at this.

mod chore;
mod document;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use toolforge_kinds::{CustomKind, Definition, Kind, version_order};
use toolforge_patch::CustomType;

use crate::conversion::Hook;
use crate::store::{Effect, Event, Observer, Resource, Stored};
pub(crate) use chore::{keep_current, prepare};
use document::Document;

/// Where definitions are stored.
const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";
/// What holds a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The resource of definitions.
pub(crate) fn resource() -> Option<Resource> {
    Resource::find(GROUP, PLURAL)
}

/// One served version of a custom kind.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(crate) kind: Arc<CustomKind>,
    /// The version in which its objects are stored.
    pub(crate) storage: Arc<CustomKind>,
    /// Who converts between the versions, where it is not by name alone.
    pub(crate) hook: Option<Arc<Hook>>,
    pub(crate) merge: CustomType,
    /// Objects written after this revision are stored as this edition shows them.
    pub(crate) since: u64,
    /// The definition's own name.
    pub(crate) definition: String,
    /// Cancelled when another edition takes its place: watches end, and their clients begin anew.
    pub(crate) retired: CancellationToken,
}

/// One definition as it is served.
#[derive(Debug)]
struct Served {
    /// The definition's uid and generation: another pair is another edition.
    edition: (String, i64, Value),
    versions: Vec<Arc<Custom>>,
    stored: &'static Kind,
}

/// All of them at one moment.
#[derive(Debug, Default)]
struct State {
    definitions: BTreeMap<String, Arc<Served>>,
    by_resource: HashMap<(&'static str, &'static str, &'static str), Arc<Custom>>,
    /// By group, then by version as Kubernetes prefers them, then by name.
    kinds: Vec<&'static Kind>,
    documents: BTreeMap<String, Document>,
}

/// The kinds that users have defined.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    state: ArcSwap<State>,
    /// Held while a new state is made.
    writing: Mutex<()>,
}

impl Kinds {
    /// The version that a path names.
    pub(crate) fn by_resource(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Custom>> {
        let state = self.state.load();
        if state.by_resource.is_empty() {
            return None;
        }
        let key = (
            toolforge_kinds::interned(group)?,
            toolforge_kinds::interned(version)?,
            toolforge_kinds::interned(plural)?,
        );
        state.by_resource.get(&key).cloned()
    }

    /// Every kind that is offered: the built-in ones and those of users.
    pub(crate) fn all(&self) -> Vec<&'static Kind> {
        let state = self.state.load();
        toolforge_kinds::all()
            .iter()
            .chain(state.kinds.iter().copied())
            .collect()
    }

    /// The versions of one kind, those first that Kubernetes prefers.
    pub(crate) fn versions(&self, group: &str, plural: &str) -> Vec<&'static Kind> {
        let state = self.state.load();
        let kinds = state.kinds.iter().copied();
        kinds
            .filter(|kind| (kind.group, kind.plural) == (group, plural))
            .collect()
    }

    /// Where objects of custom kinds are stored.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        let state = self.state.load();
        state
            .definitions
            .values()
            .map(|served| Resource::of(served.stored))
            .collect()
    }

    /// The index of `OpenAPI` documents: addresses by path.
    pub(crate) fn index(&self) -> Vec<(String, String)> {
        let state = self.state.load();
        let documents = state.documents.iter();
        documents
            .map(|(name, document)| (format!("apis/{name}"), document.hash()))
            .collect()
    }

    /// The `OpenAPI` document of a group version, with the hash of its content.
    pub(crate) fn document(&self, group_version: &str) -> Option<(bytes::Bytes, String)> {
        let state = self.state.load();
        let document = state.documents.get(group_version)?;
        Some((document.bytes(), document.hash()))
    }

    /// All `OpenAPI` v3 documents.
    pub(crate) fn documents(&self) -> Vec<Value> {
        let state = self.state.load();
        let documents = state.documents.values();
        documents
            .filter_map(|document| serde_json::from_slice(&document.bytes()).ok())
            .collect()
    }

    /// Reads a definition at opening.
    pub(crate) fn load(&self, object: &Stored) {
        if Some(object.key.resource) == resource() {
            self.change(&object.key.name, Some(object));
        }
    }

    fn change(&self, name: &str, object: Option<&Stored>) {
        let _writing = self.writing.lock();
        let before = self.state.load();
        let known = before.definitions.get(name);
        let edition = object.and_then(edition);
        if edition.as_ref() == known.map(|served| &served.edition) {
            return;
        }
        let mut definitions = before.definitions.clone();
        let gone = definitions.remove(name);
        if let (Some(object), Some(edition)) = (object, edition)
            && let Some(served) = serve(object, edition)
        {
            definitions.insert(name.to_owned(), Arc::new(served));
        }
        self.state.store(Arc::new(State::of(definitions)));
        for custom in gone.iter().flat_map(|served| &served.versions) {
            custom.retired.cancel();
        }
    }
}

impl Observer for Kinds {
    fn applied(&self, event: &Event) {
        if Some(event.object.key.resource) == resource() {
            let object = (event.effect == Effect::Put).then_some(&*event.object);
            self.change(&event.object.key.name, object);
        }
    }
}

/// What makes an edition; `None` for a definition that does not serve.
fn edition(object: &Stored) -> Option<(String, i64, Value)> {
    let value = object.value();
    if !is_established(&value) {
        return None;
    }
    let generation = value
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    let names = value
        .pointer("/status/acceptedNames")
        .cloned()
        .unwrap_or_default();
    Some((crate::metadata::text(&value, "uid").to_owned(), generation, names))
}

/// Whether a definition serves, or did before it was deleted.
fn is_established(definition: &Value) -> bool {
    let conditions = definition.pointer("/status/conditions").and_then(Value::as_array);
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|found| found["type"] == "Established" && found["status"] == "True")
    })
}

fn serve(object: &Stored, edition: (String, i64, Value)) -> Option<Served> {
    let definition = Definition::of(&object.value())?;
    let hook = Hook::of(&object.value());
    let versions = definition.versions.into_iter().map(|kind| {
        Arc::new(Custom {
            merge: CustomType::of_schema(&kind.published),
            kind,
            storage: Arc::clone(&definition.storage),
            hook: hook.clone(),
            since: object.revision,
            definition: definition.name.clone(),
            retired: CancellationToken::new(),
        })
    });
    Some(Served {
        edition,
        versions: versions.collect(),
        stored: definition.stored,
    })
}

impl State {
    fn of(definitions: BTreeMap<String, Arc<Served>>) -> Self {
        let served: Vec<&Arc<Custom>> = definitions.values().flat_map(|served| &served.versions).collect();
        let mut kinds: Vec<&'static Kind> = served.iter().map(|custom| custom.kind.kind).collect();
        kinds.sort_by_cached_key(|kind| (kind.group, version_order(kind.version), kind.plural));
        let by_resource = served
            .iter()
            .map(|custom| {
                let kind = custom.kind.kind;
                ((kind.group, kind.version, kind.plural), Arc::clone(custom))
            })
            .collect();
        let mut documents: BTreeMap<String, Vec<Arc<CustomKind>>> = BTreeMap::new();
        for custom in &served {
            documents
                .entry(custom.kind.kind.api_version())
                .or_default()
                .push(custom.kind.clone());
        }
        let documents = documents
            .into_iter()
            .map(|(name, kinds)| (name, Document::of(kinds)))
            .collect();
        Self {
            definitions,
            by_resource,
            kinds,
            documents,
        }
    }
}
