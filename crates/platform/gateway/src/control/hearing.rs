//! What is heard from the API, and what follows from it for the table. Pure.
//!
//! **Invariant:** an API that lost its memory does not empty the table. What a list has is put into the table as it comes, so
//! that there is never a second copy of ten thousand objects. What it does not have is taken away at its end, when the API
//! knows a tool's namespace; until then its names are set aside.
//!
//! **Invariant:** the settings of the table are those that all its verdicts are by. Another policy has all Ingresses listed anew, and
//! the table's settings change with the end of that list: a table on disk never says that old verdicts are new ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use toolforge_model::ToolName;
use toolforge_registrations::Tenants;
use toolforge_routing::{Change, Kind, Object, ObjectKey, RouteTable, Settings};

use super::replies::{Replies, StatusIs};

/// Something that the API said.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The next list of Ingresses, and what follows it, has verdicts by other settings than before.
    Judged(Box<Settings>),
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

/// Turns events into changes of the table.
#[derive(Debug)]
pub(crate) struct Hearing {
    /// By name, and whether the tool's access is withdrawn.
    tool_namespaces: BTreeMap<String, bool>,
    /// Whether all of them are known, and something of them has changed since that was told.
    tenants_changed: bool,
    lists_namespaces: bool,
    /// What lists have told so far.
    listing: HashMap<Kind, BTreeSet<ObjectKey>>,
    /// Whole lists that have taken nothing away yet, kept up to date by what is heard after them.
    set_aside: HashMap<Kind, BTreeSet<ObjectKey>>,
    /// What the table's verdicts follow from once such a list of Ingresses has taken away what it does not have.
    settings: Option<Box<Settings>>,
    /// What maintainers of Ingresses were told, and have still to be told.
    pub(crate) replies: Replies,
}

impl Default for Hearing {
    fn default() -> Self {
        Self {
            tool_namespaces: BTreeMap::new(),
            tenants_changed: false,
            lists_namespaces: true,
            listing: HashMap::new(),
            set_aside: HashMap::new(),
            settings: None,
            replies: Replies::default(),
        }
    }
}

impl Hearing {
    /// What follows for this table.
    pub(crate) fn hear(&mut self, event: Event, table: &RouteTable) -> Vec<Change> {
        match event {
            Event::Judged(settings) => {
                self.settings = Some(settings);
                Vec::new()
            }
            Event::Begin(kind) => {
                self.listing.insert(kind, BTreeSet::new());
                self.set_aside.remove(&kind);
                Vec::new()
            }
            Event::Listed(heard) => {
                self.note(&heard);
                let listed = self.listing.entry(heard.object.kind()).or_default();
                listed.insert(heard.object.key());
                vec![Change::Put(heard.object)]
            }
            Event::Done(kind) => {
                let listed = self.listing.remove(&kind).unwrap_or_default();
                self.set_aside.insert(kind, listed);
                self.take_away(table)
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
                self.take_away(table)
            }
            Event::NamespaceGone(name) => {
                self.tenants_changed |= self.tool_namespaces.remove(&name).is_some();
                Vec::new()
            }
        }
    }

    /// Whether a list has begun of which the rest is still to come.
    pub(crate) fn is_in_a_list(&self) -> bool {
        !self.listing.is_empty()
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
        if let Some(list) = self.set_aside.get_mut(&object.kind()) {
            list.insert(object.key());
        }
        vec![Change::Put(object)]
    }

    fn gone(&mut self, kind: Kind, key: ObjectKey) -> Vec<Change> {
        if kind == Kind::Ingress {
            self.replies.forget(&key);
        }
        if let Some(list) = self.set_aside.get_mut(&kind) {
            list.remove(&key);
        }
        vec![Change::Remove(kind, key)]
    }

    /// What whole lists do not have goes, if the API has its memory. What a list has is in the table, or on its way there.
    fn take_away(&mut self, table: &RouteTable) -> Vec<Change> {
        let has_memory = self.api_has_memory();
        let mut changes = Vec::new();
        self.set_aside.retain(|kind, list| {
            let known = table.keys().filter(|(of, _)| of == kind);
            let missing: Vec<_> = known.filter(|(_, key)| !list.contains(key)).collect();
            if !missing.is_empty() && !has_memory {
                return true;
            }
            changes.extend(missing.into_iter().map(|(kind, key)| Change::Remove(kind, key)));
            if *kind == Kind::Ingress {
                let settings = self.settings.take();
                changes.extend(
                    settings
                        .filter(|new| **new != *table.settings())
                        .map(Change::Settings),
                );
            }
            false
        });
        changes
    }
}

#[cfg(test)]
mod tests;
