//! All accounts as the cluster has them, for `toolforge accounts list`: nothing but a kubeconfig is needed.
//!
//! Lists are read here and put together by [`overview`], which is pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace},
    rbac::v1::ClusterRoleBinding,
};
use kube::{Api, Client, Resource, api::ListParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    account::Account,
    cache::selector,
    desired::{self, ADMIN_NAMESPACE, MARKER},
    guard::Ledger,
    removals, standing,
    status::{self, Severity, Trouble},
    withdrawn::Reason,
};

#[cfg(test)]
mod tests;

/// How an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has everything.
    Active,
    /// It is being made, or has no credentials yet.
    Pending,
    /// It works, and somebody should know something.
    Warning,
    /// It does not have what it should have.
    Failing,
    /// Its name is impossible.
    Skipped,
    /// The overrides name it, and the directory does not have it.
    Unknown,
    /// The directory has locked it.
    Locked,
    /// It is gone from the directory; its objects are kept for the grace period.
    Removed,
    /// It is gone from the directory, and its removal waits for an approval.
    Waiting,
}

/// An account, in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `tool NAME` or `admin USER`; `override NAME` for what the overrides say of no tool.
    pub account: String,
    /// How it is.
    pub state: State,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// When its credentials end, where it has some.
    pub credentials_end: Option<Timestamp>,
    /// Why, where there is something to say.
    pub reason: Option<String>,
}

/// Why accounts cannot be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list the {kind}s of the accounts")]
pub struct OverviewError {
    kind: &'static str,
    #[source]
    source: Box<kube::Error>,
}

/// What the cluster has.
#[derive(Debug, Default)]
struct Found {
    namespaces: Vec<Value>,
    maps: Vec<Value>,
    bindings: Vec<Value>,
}

/// Lists all accounts.
///
/// # Errors
/// When the cluster does not answer, or does not allow it.
pub async fn list(client: &Client) -> Result<Vec<Line>, OverviewError> {
    let found = Found {
        namespaces: ours::<Namespace>(client, "Namespace").await?,
        maps: ours::<ConfigMap>(client, "ConfigMap").await?,
        bindings: ours::<ClusterRoleBinding>(client, "ClusterRoleBinding").await?,
    };
    Ok(overview(&found))
}

async fn ours<K>(client: &Client, kind: &'static str) -> Result<Vec<Value>, OverviewError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let api: Api<K> = Api::all(client.clone());
    let listed = api.list(&ListParams::default().labels(&selector())).await;
    let listed = listed.map_err(|source| OverviewError {
        kind,
        source: Box::new(source),
    })?;
    Ok(listed
        .items
        .iter()
        .filter_map(|object| serde_json::to_value(object).ok())
        .collect())
}

/// Puts the lists together.
fn overview(found: &Found) -> Vec<Line> {
    let maps: BTreeMap<(&str, &str), &Value> = found
        .maps
        .iter()
        .filter_map(|map| Some((place(map)?, map)))
        .collect();
    let state = |name| maps.get(&(ADMIN_NAMESPACE, name)).copied();
    let ledger = state(removals::REMOVALS).map_or_else(Ledger::default, |map| removals::read(map).0);
    let mut troubles = state(status::STATUS).map(status::read).unwrap_or_default();
    let mut lines = Vec::new();
    for namespace in &found.namespaces {
        let Some((tool, withdrawn)) = standing::tool_of(namespace) else {
            continue;
        };
        let marker = maps.get(&(tool.namespace().as_str(), MARKER)).copied();
        let mut line = line(&Account::Tool(tool.clone()), datum(marker, "expires"));
        if let Some(withdrawn) = withdrawn {
            line.state = match withdrawn.reason {
                Reason::Locked => State::Locked,
                Reason::Removed => State::Removed,
            };
            line.since = Some(withdrawn.since);
            line.reason = withdrawn.archive.map(|archive| format!("archived as {archive}"));
        }
        lines.push(line);
    }
    let markers = state(MARKER);
    let admins: BTreeSet<String> = found.bindings.iter().filter_map(standing::admin_of).collect();
    for admin in admins {
        lines.push(line(&Account::Admin(admin.clone()), datum(markers, &admin)));
    }
    if let Some(waiting) = &ledger.waiting {
        let waits = |line: &&mut Line| {
            let account = line.account.parse();
            account.is_ok_and(|account| waiting.accounts.contains(&account))
        };
        for line in lines.iter_mut().filter(waits) {
            line.state = State::Waiting;
            line.since = Some(waiting.since);
            line.reason = Some("gone from the directory; see `toolforge accounts pending`".to_owned());
        }
    }
    for line in &mut lines {
        if let Some(trouble) = troubles.remove(&line.account) {
            tell(line, trouble);
        }
    }
    // What has nothing in the cluster yet.
    lines.extend(troubles.into_iter().map(|(account, trouble)| {
        let mut line = Line {
            account,
            state: State::Pending,
            since: None,
            credentials_end: None,
            reason: None,
        };
        tell(&mut line, trouble);
        line
    }));
    lines.sort_by(|a, b| a.account.cmp(&b.account));
    lines
}

fn place(object: &Value) -> Option<(&str, &str)> {
    let metadata = &object["metadata"];
    Some((metadata["namespace"].as_str()?, metadata["name"].as_str()?))
}

fn datum(marker: Option<&Value>, name: &str) -> Option<Timestamp> {
    desired::read_iso(marker?["data"][name].as_str()?)
}

fn line(account: &Account, credentials_end: Option<Timestamp>) -> Line {
    Line {
        account: account.to_string(),
        state: if credentials_end.is_some() {
            State::Active
        } else {
            State::Pending
        },
        since: None,
        credentials_end,
        reason: None,
    }
}

fn tell(line: &mut Line, trouble: Trouble) {
    line.state = match trouble.severity {
        Severity::Failing => State::Failing,
        Severity::Warning => State::Warning,
        Severity::Skipped => State::Skipped,
        Severity::Unknown => State::Unknown,
    };
    line.since = Some(trouble.since);
    line.reason = Some(trouble.reason);
}
