//! Where an account stands: may it have what it has, and who says so.
//!
//! Pure: the directory's last answer, what the cluster has and what the guard has let go are put together. The service
//! asks before each turn.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use toolforge_model::ToolName;

use crate::{
    account::Account,
    cache::Cache,
    desired::{self, ADMIN_ROLE, VIEW_ROLE},
    guard::Facts,
    snapshot::Snapshot,
    withdrawn::{Reason, Withdrawn},
};

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is in the directory, and has everything.
    Active,
    /// The directory has locked it.
    Locked,
    /// It is gone from the directory, and may be removed.
    Gone,
    /// It is gone from the directory, and nothing is done until the guard lets it go.
    Held,
    /// Neither the directory nor the cluster knows it.
    Unknown,
}

/// The accounts that the cluster has; tools with their withdrawal, where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) tools: BTreeMap<ToolName, Option<Withdrawn>>,
    pub(crate) admins: BTreeSet<String>,
}

impl Known {
    /// Of everything that the cache has.
    pub(crate) fn of(cache: &Cache) -> Self {
        let mut known = Self {
            tools: cache.tools(),
            admins: BTreeSet::new(),
        };
        for binding in cache.all("ClusterRoleBinding") {
            known.admins.extend(admin_of(&binding));
        }
        known
            .admins
            .extend(cache.data(&desired::admin_marker_key()).into_keys());
        known
    }

    /// All of them.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = Account> {
        let admins = self.admins.iter().cloned().map(Account::Admin);
        self.tools.keys().cloned().map(Account::Tool).chain(admins)
    }

    /// What the guard has to judge.
    pub(crate) fn facts(&self, snapshot: &Snapshot, approved: Option<String>) -> Facts {
        let is_removed = |withdrawn: &Option<Withdrawn>| {
            withdrawn
                .as_ref()
                .is_some_and(|withdrawn| withdrawn.reason == Reason::Removed)
        };
        let tools = self.tools.iter();
        let tools =
            tools.filter(|(name, withdrawn)| !snapshot.tools.contains_key(*name) && !is_removed(withdrawn));
        let admins = self
            .admins
            .iter()
            .filter(|name| !snapshot.admins.contains_key(*name));
        let missing: BTreeSet<Account> = tools
            .map(|(name, _)| Account::Tool(name.clone()))
            .chain(admins.map(|name| Account::Admin(name.clone())))
            .collect();
        let lost = |is_tool: bool| {
            missing
                .iter()
                .any(|account| matches!(account, Account::Tool(_)) == is_tool)
        };
        Facts {
            known: self.tools.len() + self.admins.len(),
            emptied: (snapshot.tools.is_empty() && lost(true)) || (snapshot.admins.is_empty() && lost(false)),
            missing,
            approved,
        }
    }
}

/// The tool of a namespace of ours that is not being deleted, with its withdrawal.
pub(crate) fn tool_of(namespace: &Value) -> Option<(ToolName, Option<Withdrawn>)> {
    let name = namespace["metadata"]["name"].as_str()?;
    let tool = ToolName::of_namespace(name)?;
    let is_leaving = namespace["metadata"]["deletionTimestamp"].is_string();
    (!is_leaving).then(|| (tool, Withdrawn::read(namespace)))
}

/// The admin whom a binding of ours makes one.
pub(crate) fn admin_of(binding: &Value) -> Option<String> {
    let role = binding["roleRef"]["name"].as_str()?;
    let user = binding["subjects"][0]["name"].as_str()?;
    matches!(role, ADMIN_ROLE | VIEW_ROLE).then(|| user.to_owned())
}

/// Decides where an account stands.
pub(crate) fn standing(
    account: &Account,
    snapshot: &Snapshot,
    cached: Option<&Option<Withdrawn>>,
    going: &BTreeSet<Account>,
) -> Standing {
    let locked = match account {
        Account::Tool(name) => snapshot.tools.get(name).map(|tool| match tool {
            Ok(tool) => tool.locked,
            Err(unusable) => unusable.locked,
        }),
        Account::Admin(name) => snapshot.admins.get(name).map(|admin| match admin {
            Ok(admin) => admin.locked,
            Err(unusable) => unusable.locked,
        }),
    };
    let was_let_go = going.contains(account)
        || matches!(cached, Some(Some(withdrawn)) if withdrawn.reason == Reason::Removed);
    match locked {
        Some(true) => Standing::Locked,
        Some(false) => Standing::Active,
        None if was_let_go => Standing::Gone,
        None if cached.is_some() || matches!(account, Account::Admin(_)) => Standing::Held,
        None => Standing::Unknown,
    }
}
