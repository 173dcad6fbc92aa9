//! Whose turn it is when an object of ours has changed in the cluster.
//!
//! Pure but for what it remembers: all admins share one marker, which changes whenever one of them has new credentials,
//! so what it said last is kept, and only those go to work of whom it says something else. Asked by the service's loop for each
//! word of the cache.

use std::collections::{BTreeMap, BTreeSet};

use toolforge_model::ToolName;
use toolforge_policy::psp;

use crate::{
    account::Account,
    cache::Cache,
    desired::{self, ADMIN_NAMESPACE},
    plan::ObjectKey,
};

#[cfg(test)]
mod tests;

/// Knows whom a change concerns.
#[derive(Debug)]
pub(super) struct Concerned {
    /// What the marker of all admins said when it was last looked at.
    marker: BTreeMap<String, String>,
}

impl Concerned {
    /// One that begins with what the cache has.
    pub(super) fn new(cache: &Cache) -> Self {
        Self {
            marker: cache.data(&desired::admin_marker_key()),
        }
    }

    /// The accounts that a change of an object concerns; `admins` are those of the directory.
    pub(super) fn by<'a>(
        &mut self,
        key: &ObjectKey,
        cache: &Cache,
        admins: impl Iterator<Item = &'a String>,
    ) -> BTreeSet<Account> {
        if let Some(tool) = tool(key) {
            return BTreeSet::from([Account::Tool(tool)]);
        }
        let is_concerned: Box<dyn Fn(&str) -> bool> = match key.kind.as_str() {
            // What all of them have in it may be gone with it.
            "Namespace" if key.name == ADMIN_NAMESPACE => Box::new(|_| true),
            "ClusterRoleBinding" => Box::new(|admin| desired::admin_bindings(admin).contains(&key.name)),
            "ConfigMap" if *key == desired::admin_marker_key() => {
                let now = cache.data(key);
                let before = std::mem::replace(&mut self.marker, now.clone());
                Box::new(move |admin| now.get(admin) != before.get(admin))
            }
            // What else the service keeps there it only writes: the ledger of removals, and what is wrong with whom.
            _ => return BTreeSet::new(),
        };
        let concerned = admins.filter(|admin| is_concerned(admin));
        concerned.map(|admin| Account::Admin(admin.clone())).collect()
    }
}

/// The tool whose object it is.
fn tool(key: &ObjectKey) -> Option<ToolName> {
    let namespace = match key.kind.as_str() {
        "ClusterRoleBinding" => return desired::observer(&key.name),
        "Namespace" => key.name.as_str(),
        // A tool's policy is called like its namespace, with this at the end.
        psp::KIND => key.name.strip_suffix("-psp").unwrap_or_default(),
        _ => key.namespace.as_str(),
    };
    ToolName::of_namespace(namespace)
}
