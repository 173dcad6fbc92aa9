//! What a table makes of an Ingress as a whole, for whoever wrote it.
//!
//! The gateway writes it into the status of the Ingress, and says in an Event why it is not served. Pure.

use std::collections::BTreeSet;

use crate::{
    Change, Ingress, Kind, ObjectKey, PathKind, RouteTable, hosts::Pattern, namespace::is_ours,
    path::normal_path,
};

/// What becomes of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Its class is another controller's.
    Foreign,
    /// It is not routed, for this reason.
    Refused(String),
    /// It is routed, but for these paths, which older Ingresses have.
    Routed(Vec<Lost>),
    /// It would be routed, but older Ingresses have all of its paths.
    Outdone(Vec<Lost>),
}

/// A path that another Ingress has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The host as the Ingress writes it; empty for every other host.
    pub host: String,
    /// The path as the Ingress writes it.
    pub path: String,
    /// Who has it.
    pub to: ObjectKey,
}

impl RouteTable {
    /// What becomes of an Ingress that the table knows; `None` where it knows none of this name.
    pub fn reception(&self, key: &ObjectKey) -> Option<Reception> {
        let ingress = self.ingress(key)?;
        if !is_ours(ingress, self.settings(), self.classes()) {
            return Some(Reception::Foreign);
        }
        if let Some(reason) = &ingress.refused {
            return Some(Reception::Refused(reason.clone()));
        }
        let paths: usize = ingress.rules.iter().map(|rule| rule.paths.len()).sum();
        let lost = self.lost(ingress);
        let has_nothing = !lost.is_empty() && lost.len() == paths && ingress.default_backend.is_none();
        Some(if has_nothing {
            Reception::Outdone(lost)
        } else {
            Reception::Routed(lost)
        })
    }

    /// The Ingresses whose [`reception`](Self::reception) may be another one before or after a change: those of the same
    /// namespace, and of all that claim a host with it.
    pub fn affected_by(&self, change: &Change) -> BTreeSet<ObjectKey> {
        let (kind, key) = match change {
            Change::Put(object) => (object.kind(), Some(object.key())),
            Change::Remove(kind, key) => (*kind, Some(key.clone())),
            Change::Replace(kind, _) => (*kind, None),
            // Others may be refused, or of a class that is ours.
            Change::Settings(_) => (Kind::Class, None),
        };
        match (kind, key) {
            (Kind::Ingress, Some(key)) => self.neighbours(&key),
            (Kind::Ingress | Kind::Class, _) => self.ingresses().map(|ingress| ingress.key.clone()).collect(),
            _ => BTreeSet::new(),
        }
    }

    fn neighbours(&self, key: &ObjectKey) -> BTreeSet<ObjectKey> {
        let own = self.namespace(&key.namespace);
        let hosts = own.into_iter().flat_map(|state| state.routes.keys());
        let sharing = hosts.flat_map(|host| self.claimants(host));
        let namespaces: BTreeSet<&str> = sharing.chain([&*key.namespace]).collect();
        let states = namespaces
            .into_iter()
            .filter_map(|name| Some((name, self.namespace(name)?)));
        states
            .flat_map(|(name, state)| {
                let names = state.ingresses.names();
                names.map(move |ingress| ObjectKey::new(name, ingress.clone()))
            })
            .collect()
    }

    fn lost(&self, ingress: &Ingress) -> Vec<Lost> {
        let mut lost = Vec::new();
        for rule in &ingress.rules {
            let Some(pattern) = Pattern::of(&rule.host) else {
                continue;
            };
            for path in &rule.paths {
                let holder = self.holder(&pattern, &path.path, path.kind);
                if let Some(to) = holder.filter(|holder| *holder != ingress.key) {
                    lost.push(Lost {
                        host: rule.host.to_string(),
                        path: if path.path.is_empty() {
                            "/".to_owned()
                        } else {
                            path.path.to_string()
                        },
                        to,
                    });
                }
            }
        }
        lost
    }

    /// The Ingress that has a path of a host.
    fn holder(&self, host: &Pattern, path: &str, kind: PathKind) -> Option<ObjectKey> {
        let path = normal_path(path, kind);
        let claim = self
            .claims(host)
            .find(|entry| entry.registered.is_none() && entry.kind == kind && *entry.path == *path)?;
        let backend = &claim.backend;
        Some(ObjectKey::new(backend.namespace.clone(), backend.ingress.clone()))
    }
}

#[cfg(test)]
mod tests;
