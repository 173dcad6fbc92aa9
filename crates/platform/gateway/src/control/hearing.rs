//! What is heard from the API, and what follows from it for the table. Pure.
//!
//! **Invariant:** an API that lost its memory does not empty the table. A list is taken over when the API knows a
//! tool's namespace, or when the list takes nothing away; until then it is set aside.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use toolforge_model::ToolName;
use toolforge_registrations::Tenants;
use toolforge_routing::{Change, Kind, Object, ObjectKey};

use super::replies::{Replies, StatusIs};

/// Something that the API said.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// All objects of this kind are about to be listed.
    Begin(Kind),
    /// One of them.
    Listed(Heard),
    /// That was all.
    Done(Kind),
    /// An object is there, as it is now.
    Put(Heard),
    /// An object is gone, or has become one that cannot be routed.
    Gone(Kind, ObjectKey),
    /// All namespaces are about to be listed.
    NamespacesBegin,
    /// There is a tool's namespace, and whether it says that the tool's access is withdrawn.
    ToolNamespace(String, bool),
    /// That was all of them.
    NamespacesDone,
    /// A namespace is gone.
    NamespaceGone(String),
}

impl Event {
    /// The kind of which a list has ended.
    pub(crate) fn whole_list(&self) -> Option<Kind> {
        match self {
            Self::Done(kind) => Some(*kind),
            _ => None,
        }
    }
}

/// An object, and for an Ingress what its status says.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) object: Object,
    pub(crate) status: StatusIs,
}

type Objects = BTreeMap<ObjectKey, Object>;

/// Turns events into changes of the table.
#[derive(Debug)]
pub(crate) struct Hearing {
    /// What is in the table.
    known: HashMap<Kind, BTreeSet<ObjectKey>>,
    /// By name, and whether the tool's access is withdrawn.
    tool_namespaces: BTreeMap<String, bool>,
    /// Whether all of them are known, and something of them has changed since that was told.
    tenants_changed: bool,
    lists_namespaces: bool,
    listing: HashMap<Kind, Objects>,
    /// Whole lists that are not taken over yet, kept up to date by what is heard after them.
    set_aside: HashMap<Kind, Objects>,
    /// What maintainers of Ingresses were told, and have still to be told.
    pub(crate) replies: Replies,
}

impl Hearing {
    /// For a table that was made from these objects.
    pub(crate) fn new(objects: impl IntoIterator<Item = (Kind, ObjectKey)>) -> Self {
        let mut known: HashMap<Kind, BTreeSet<ObjectKey>> = HashMap::new();
        for (kind, key) in objects {
            known.entry(kind).or_default().insert(key);
        }
        Self {
            known,
            tool_namespaces: BTreeMap::new(),
            tenants_changed: false,
            lists_namespaces: true,
            listing: HashMap::new(),
            set_aside: HashMap::new(),
            replies: Replies::default(),
        }
    }

    /// What follows for the table.
    pub(crate) fn hear(&mut self, event: Event) -> Vec<Change> {
        match event {
            Event::Begin(kind) => {
                self.listing.insert(kind, Objects::new());
                Vec::new()
            }
            Event::Listed(heard) => {
                self.note(&heard);
                let (kind, key) = (heard.object.kind(), heard.object.key());
                self.listing.entry(kind).or_default().insert(key, heard.object);
                Vec::new()
            }
            Event::Done(kind) => {
                let objects = self.listing.remove(&kind).unwrap_or_default();
                self.set_aside.insert(kind, objects);
                self.take_over()
            }
            Event::Put(heard) => {
                self.note(&heard);
                self.put(heard.object)
            }
            Event::Gone(kind, key) => self.gone(kind, key),
            Event::NamespacesBegin => {
                self.tool_namespaces.clear();
                self.lists_namespaces = true;
                Vec::new()
            }
            Event::NamespacesDone => {
                self.lists_namespaces = false;
                self.tenants_changed = true;
                Vec::new()
            }
            Event::ToolNamespace(name, is_withdrawn) => {
                let before = self.tool_namespaces.insert(name, is_withdrawn);
                self.tenants_changed |= before != Some(is_withdrawn);
                self.take_over()
            }
            Event::NamespaceGone(name) => {
                self.tenants_changed |= self.tool_namespaces.remove(&name).is_some();
                Vec::new()
            }
        }
    }

    /// Whether the API knows a tool's namespace: one that knows none may have lost its memory.
    pub(crate) fn api_has_memory(&self) -> bool {
        !self.tool_namespaces.is_empty()
    }

    /// The tools that there are, when all are known and something has changed since it was asked last.
    pub(crate) fn tenants(&mut self) -> Option<Tenants> {
        if self.lists_namespaces || !std::mem::take(&mut self.tenants_changed) {
            return None;
        }
        let mut tenants = Tenants::default();
        for (namespace, is_withdrawn) in &self.tool_namespaces {
            let tool = ToolName::of_namespace(namespace);
            let side = if *is_withdrawn {
                &mut tenants.withdrawn
            } else {
                &mut tenants.active
            };
            side.extend(tool);
        }
        Some(tenants)
    }

    fn note(&mut self, heard: &Heard) {
        if heard.object.kind() == Kind::Ingress {
            self.replies.hear(heard.object.key(), heard.status);
        }
    }

    fn put(&mut self, object: Object) -> Vec<Change> {
        let (kind, key) = (object.kind(), object.key());
        if let Some(list) = self.set_aside.get_mut(&kind) {
            list.insert(key.clone(), object.clone());
        }
        self.known.entry(kind).or_default().insert(key);
        vec![Change::Put(object)]
    }

    fn gone(&mut self, kind: Kind, key: ObjectKey) -> Vec<Change> {
        if kind == Kind::Ingress {
            self.replies.forget(&key);
        }
        if let Some(list) = self.set_aside.get_mut(&kind) {
            list.remove(&key);
        }
        if let Some(known) = self.known.get_mut(&kind) {
            known.remove(&key);
        }
        vec![Change::Remove(kind, key)]
    }

    fn take_over(&mut self) -> Vec<Change> {
        let (has_memory, known) = (self.api_has_memory(), &mut self.known);
        let mut changes = Vec::new();
        self.set_aside.retain(|kind, list| {
            let had = known.entry(*kind).or_default();
            let takes_away = had.iter().any(|key| !list.contains_key(key));
            if takes_away && !has_memory {
                return true;
            }
            *had = list.keys().cloned().collect();
            changes.push(Change::Replace(
                *kind,
                std::mem::take(list).into_values().collect(),
            ));
            false
        });
        changes
    }
}

#[cfg(test)]
mod tests;
