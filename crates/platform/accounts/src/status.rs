//! Which accounts are not as they should be and why, published in the cluster for `toolforge accounts list`.
//!
//! The service tells after each turn; the `ConfigMap` is written at most once in a while, so that a broken file system,
//! which breaks thousands of accounts at once, is a few writes. Only what is not well is in it: the rest can be seen at the
//! objects themselves.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use toolforge_model::{Chain, labels};

use crate::{
    desired::{self, ADMIN_NAMESPACE, MANAGER},
    execute::{self, ExecuteError},
    plan::{Action, ObjectKey},
    reconcile::Context,
};

/// The name of the `ConfigMap`.
pub(crate) const STATUS: &str = "toolforge-accounts";

/// The datum with the accounts, JSON.
const TROUBLES: &str = "troubles";

/// The least time between two writes.
const PAUSE: Duration = Duration::from_secs(1);

/// Characters of a reason that are kept.
const LONGEST_REASON: usize = 300;

/// Bytes of all that is published; a `ConfigMap` has room for a million.
const MOST_BYTES: usize = 700_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// The account does not have what it should have.
    Failing,
    /// It works, and somebody should know something.
    Warning,
    /// It is not looked at: its name is impossible.
    Skipped,
    /// Only the overrides name it.
    Unknown,
}

/// What is wrong with an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// Why.
    pub(crate) reason: String,
    /// Since when it is this.
    pub(crate) since: Timestamp,
}

/// The key of the `ConfigMap`.
pub(crate) fn key() -> ObjectKey {
    ObjectKey {
        kind: "ConfigMap".to_owned(),
        namespace: ADMIN_NAMESPACE.to_owned(),
        name: STATUS.to_owned(),
    }
}

/// What a `ConfigMap` says; what cannot be read says nothing.
pub(crate) fn read(object: &Value) -> BTreeMap<String, Trouble> {
    let text = object["data"][TROUBLES].as_str();
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// What is wrong, and what of it is published.
pub(crate) struct Status {
    context: Arc<Context>,
    troubles: BTreeMap<String, Trouble>,
    is_published: bool,
    writing: Option<JoinHandle<Result<(), ExecuteError>>>,
}

impl Status {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            troubles: BTreeMap::new(),
            is_published: false,
            writing: None,
        }
    }

    /// Takes up what was published before, so that it keeps its times.
    pub(crate) fn load(&mut self) {
        if let Some(found) = self.context.cache.find(&key()) {
            self.troubles = read(&found);
        }
    }

    /// The `ConfigMap` has changed: one that somebody has deleted is published anew.
    pub(crate) fn changed(&mut self) {
        self.is_published &= self.context.cache.has(&key());
    }

    /// Says what is wrong with an account; returns whether this is new.
    pub(crate) fn set(&mut self, account: &str, severity: Severity, reason: &str) -> bool {
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let known = self.troubles.get(account);
        if known.is_some_and(|known| known.reason == reason && known.severity == severity) {
            return false;
        }
        let trouble = Trouble {
            severity,
            reason,
            since: Timestamp::now(),
        };
        self.troubles.insert(account.to_owned(), trouble);
        self.is_published = false;
        true
    }

    /// Says that nothing is wrong; returns what was.
    pub(crate) fn clear(&mut self, account: &str) -> Option<Trouble> {
        let was = self.troubles.remove(account);
        self.is_published &= was.is_none();
        was
    }

    /// Forgets all of a severity but these.
    pub(crate) fn keep_only(&mut self, severity: Severity, is_meant: impl Fn(&str) -> bool) {
        let before = self.troubles.len();
        self.troubles
            .retain(|account, trouble| trouble.severity != severity || is_meant(account));
        self.is_published &= self.troubles.len() == before;
    }

    /// Publishes what has changed; never comes back.
    pub(crate) async fn publish(&mut self) {
        loop {
            if let Some(writing) = &mut self.writing {
                let outcome = writing.await;
                self.writing = None;
                match outcome {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        self.is_published = false;
                        tracing::warn!(error = %Chain(&error), "the state of the accounts cannot be published");
                    }
                    Err(error) => tracing::error!(%error, "publishing the state of the accounts ended badly"),
                }
            } else if self.is_published {
                std::future::pending::<()>().await;
            } else {
                self.is_published = true;
                let write = write(self.context.clone(), object(&self.troubles));
                self.writing = Some(tokio::spawn(write));
            }
        }
    }
}

async fn write(context: Arc<Context>, object: Value) -> Result<(), ExecuteError> {
    let outcome = async {
        execute::execute(&context.client, Action::Apply(desired::service_namespace())).await?;
        execute::execute(&context.client, Action::Apply(object)).await
    };
    let outcome = outcome.await;
    // What changes meanwhile goes into the next one.
    tokio::time::sleep(PAUSE).await;
    outcome
}

fn object(troubles: &BTreeMap<String, Trouble>) -> Value {
    let mut room = MOST_BYTES;
    let fits = troubles.iter().take_while(|(account, trouble)| {
        let bytes = serde_json::to_string(&(account, trouble)).map_or(usize::MAX, |text| text.len());
        let is_room = bytes <= room;
        room = room.saturating_sub(bytes);
        is_room
    });
    let published: BTreeMap<&String, &Trouble> = fits.collect();
    let omitted = troubles.len() - published.len();
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": STATUS, "namespace": ADMIN_NAMESPACE, "labels": { labels::MANAGED_BY: MANAGER } },
        "data": {
            TROUBLES: serde_json::to_string(&published).unwrap_or_default(),
            "omitted": omitted.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(reason: &str) -> Trouble {
        Trouble {
            severity: Severity::Failing,
            reason: reason.to_owned(),
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_is_published_is_read_again() {
        let troubles = BTreeMap::from([("tool alpha".to_owned(), trouble("its \"home\""))]);
        assert_eq!(read(&object(&troubles)), troubles);
        assert_eq!(read(&json!({ "data": { TROUBLES: "{" } })), BTreeMap::new());
    }

    #[test]
    fn thousands_of_long_reasons_fit_into_a_config_map() {
        let reason = "\"".repeat(LONGEST_REASON);
        let troubles: BTreeMap<String, Trouble> = (0..20_000)
            .map(|number| (format!("tool t{number}"), trouble(&reason)))
            .collect();
        let object = object(&troubles);
        let published = object["data"][TROUBLES].as_str().unwrap();
        assert!(published.len() < 1_000_000);
        assert_ne!(object["data"]["omitted"], "0");
        assert!(!read(&object).is_empty());
    }
}
