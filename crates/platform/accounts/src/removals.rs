//! Where decisions about removals are kept: one `ConfigMap` in the service's namespace.
//!
//! The service writes the ledger before it acts on it; an operator's approval is a datum of its own, so neither writes
//! over the other. `pending` and `approve` work with nothing but a kubeconfig.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use toolforge_model::labels;

use crate::{
    desired::{ADMIN_NAMESPACE, MANAGER},
    execute::{self, ExecuteError},
    guard::{Ledger, Waiting},
    plan::{Action, ObjectKey},
};

/// The name of the `ConfigMap`.
pub(crate) const REMOVALS: &str = "toolforge-removals";

/// The datum with the service's decisions, JSON.
const LEDGER: &str = "ledger";

/// The datum with the digest that an operator has approved.
const APPROVED: &str = "approved";

/// Who approves, among the managers of fields.
const APPROVER: &str = "toolforge-accounts-approve";

/// Why removals can be neither shown nor approved.
#[derive(Debug, thiserror::Error)]
pub enum RemovalsError {
    /// The cluster does not answer.
    #[error("cannot {step} the ConfigMap {ADMIN_NAMESPACE}/{REMOVALS}")]
    Api {
        /// What was tried.
        step: &'static str,
        /// What the API says.
        #[source]
        source: Box<kube::Error>,
    },
    /// What is there is not what the service writes.
    #[error(
        "the ConfigMap {ADMIN_NAMESPACE}/{REMOVALS} does not hold a ledger; the service writes it anew when it is deleted"
    )]
    Unreadable(#[source] serde_json::Error),
    /// Nothing waits.
    #[error("no removals wait for an approval")]
    NothingWaits,
    /// Something else waits.
    #[error(
        "what waits is {waiting}, not {asked}; look at `toolforge accounts pending` again before you approve"
    )]
    Another {
        /// What was asked for.
        asked: String,
        /// What waits.
        waiting: String,
    },
}

/// The key of the `ConfigMap`.
pub(crate) fn key() -> ObjectKey {
    ObjectKey {
        kind: "ConfigMap".to_owned(),
        namespace: ADMIN_NAMESPACE.to_owned(),
        name: REMOVALS.to_owned(),
    }
}

/// What the `ConfigMap` says: the ledger, and what is approved. What cannot be read counts as nothing decided.
pub(crate) fn read(object: &Value) -> (Ledger, Option<String>) {
    let datum = |name: &str| object["data"][name].as_str();
    let ledger = datum(LEDGER).and_then(|text| serde_json::from_str(text).ok());
    (
        ledger.unwrap_or_default(),
        datum(APPROVED).map(|text| text.trim().to_owned()),
    )
}

/// Writes the ledger down.
pub(crate) async fn write(client: &Client, ledger: &Ledger) -> Result<(), ExecuteError> {
    // A ledger is names and times; it cannot fail to become JSON.
    let text = serde_json::to_string(ledger).unwrap_or_default();
    execute::execute(client, Action::Apply(crate::desired::service_namespace())).await?;
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": REMOVALS, "namespace": ADMIN_NAMESPACE, "labels": { labels::MANAGED_BY: MANAGER } },
        "data": { LEDGER: text },
    });
    execute::execute(client, Action::Apply(object)).await
}

/// The removals that wait for an approval.
///
/// # Errors
/// When the cluster cannot be asked, or its answer cannot be read.
pub async fn pending(client: &Client) -> Result<Option<Waiting>, RemovalsError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), ADMIN_NAMESPACE);
    let found = api.get_opt(REMOVALS).await.map_err(|source| RemovalsError::Api {
        step: "read",
        source: Box::new(source),
    })?;
    let Some(text) = found.and_then(|mut map| map.data.take()?.remove(LEDGER)) else {
        return Ok(None);
    };
    let ledger: Ledger = serde_json::from_str(&text).map_err(RemovalsError::Unreadable)?;
    Ok(ledger.waiting)
}

/// Approves exactly the removals of this digest; returns them.
///
/// # Errors
/// When nothing waits, something else waits, or the cluster does not take it.
pub async fn approve(client: &Client, digest: &str) -> Result<Waiting, RemovalsError> {
    let waiting = pending(client).await?.ok_or(RemovalsError::NothingWaits)?;
    if waiting.digest() != digest {
        return Err(RemovalsError::Another {
            asked: digest.to_owned(),
            waiting: waiting.digest(),
        });
    }
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), ADMIN_NAMESPACE);
    let parameters = PatchParams {
        field_manager: Some(APPROVER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({ "data": { APPROVED: digest } }));
    let approved = api.patch(REMOVALS, &parameters, &patch).await;
    approved.map_err(|source| RemovalsError::Api {
        step: "write an approval into",
        source: Box::new(source),
    })?;
    Ok(waiting)
}
