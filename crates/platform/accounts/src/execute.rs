//! Does what was planned, through the Kubernetes API, so that doing it again changes nothing.
//!
//! Server-side apply under our own name: what others set in our objects stays, what we set is ours. **Invariant:**
//! answers do not go into the cache; only the watch knows what came after what. An answer that arrives late would
//! bring back an object that has been deleted since.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};
use toolforge_model::labels;

use crate::{
    cache::Owned,
    desired::MANAGER,
    plan::{Action, ObjectKey, unbound},
};

/// Why an object is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecuteError {
    #[error("cannot {step} {} {}{}", key.kind, namespaced(&key.namespace), key.name)]
    Api {
        step: &'static str,
        key: ObjectKey,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("{} is not a kind that the account service makes", key.kind)]
    Kind { key: ObjectKey },
}

fn namespaced(namespace: &str) -> String {
    if namespace.is_empty() {
        String::new()
    } else {
        format!("{namespace}/")
    }
}

/// Does one action.
pub(crate) async fn execute(client: &Client, action: Action) -> Result<(), ExecuteError> {
    let key = ObjectKey::of(action.object());
    match action {
        Action::Apply(object) => apply(client, object).await.map(|_| ()),
        Action::Replace(object) => {
            remove(client, &key, None).await?;
            apply(client, object).await.map(|_| ())
        }
        Action::Bound { quota, not } => {
            apply(client, quota).await?;
            merge(client, &key, &unbound(&not)).await
        }
    }
}

/// Applies an object; gives what it says of itself now.
pub(crate) async fn apply(client: &Client, object: Value) -> Result<ObjectMeta, ExecuteError> {
    apply_as(client, object, MANAGER).await
}

async fn apply_as(client: &Client, object: Value, manager: &str) -> Result<ObjectMeta, ExecuteError> {
    let key = ObjectKey::of(&object);
    let api = api(client, &key)?;
    let parameters = PatchParams::apply(manager).force();
    match api.patch(&key.name, &parameters, &Patch::Apply(&object)).await {
        Ok(applied) => Ok(applied.metadata),
        Err(source) => Err(failed("apply", key, source)),
    }
}

/// What an object would be after it was applied; the API keeps nothing of it.
pub(crate) async fn would_be(client: &Client, object: &Value) -> Result<Value, ExecuteError> {
    let key = ObjectKey::of(object);
    let parameters = PatchParams::apply(MANAGER).force().dry_run();
    let applied = api(client, &key)?
        .patch(&key.name, &parameters, &Patch::Apply(object))
        .await
        .map_err(|source| failed("apply", key, source))?;
    Ok(serde_json::to_value(applied).unwrap_or_default())
}

/// Deletes an object, of this uid where one is named; nothing is wrong where there is none.
pub(crate) async fn remove(
    client: &Client,
    key: &ObjectKey,
    uid: Option<String>,
) -> Result<(), ExecuteError> {
    let parameters = DeleteParams {
        preconditions: uid.map(|uid| Preconditions {
            uid: Some(uid),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api(client, key)?.delete(&key.name, &parameters).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(source) => Err(failed("remove", key.clone(), source)),
        Ok(_) => Ok(()),
    }
}

/// Changes some fields of an object (RFC 7396).
pub(crate) async fn merge(client: &Client, key: &ObjectKey, patch: &Value) -> Result<(), ExecuteError> {
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patched = api(client, key)?
        .patch(&key.name, &parameters, &Patch::Merge(patch))
        .await;
    patched
        .map(|_| ())
        .map_err(|source| failed("change", key.clone(), source))
}

/// Reads one object from the API itself; none where there is none.
pub(crate) async fn fetch(client: &Client, key: &ObjectKey) -> Result<Option<Value>, ExecuteError> {
    match api(client, key)?.get_opt(&key.name).await {
        Ok(found) => Ok(found.and_then(|object| serde_json::to_value(object).ok())),
        Err(source) => Err(failed("read", key.clone(), source)),
    }
}

/// Sets one datum of a `ConfigMap` that is made where there is none, and leaves the others.
pub(crate) async fn set_datum(
    client: &Client,
    key: &ObjectKey,
    datum: &str,
    value: &str,
) -> Result<(), ExecuteError> {
    // An apply under one name for all would take away what it does not name; so each datum is a manager's own.
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": key.name, "namespace": key.namespace, "labels": { labels::MANAGED_BY: MANAGER } },
        "data": { datum: value },
    });
    let manager = format!("{MANAGER}-{datum}");
    // Managers' names have at most 128 bytes.
    let manager = manager.get(..128).unwrap_or(&manager);
    apply_as(client, object, manager).await.map(|_| ())
}

fn api(client: &Client, key: &ObjectKey) -> Result<Api<DynamicObject>, ExecuteError> {
    let owned = Owned::named(&key.kind).ok_or_else(|| ExecuteError::Kind { key: key.clone() })?;
    let resource = owned.resource();
    Ok(if key.namespace.is_empty() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), &key.namespace, &resource)
    })
}

fn failed(step: &'static str, key: ObjectKey, source: kube::Error) -> ExecuteError {
    ExecuteError::Api {
        step,
        key,
        source: Box::new(source),
    }
}
