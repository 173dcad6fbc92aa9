//! Service accounts of Pods: they must be there, and Pods get from them what they do not bring along.
//!
//! Kubernetes' admission plugin `ServiceAccount`. The API has filled in the name `default` where a Pod names none.

mod volume;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use toolforge_kinds::Status;

use crate::attributes::{Attributes, Operation};
use crate::world::World;

/// The account of Pods that name none.
const DEFAULT: &str = "default";
/// With this annotation an account's Pods may use only the Secrets that the account lists.
const ENFORCE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";

/// Whether accounts have a say in a write.
fn concern(attributes: &Attributes) -> bool {
    attributes.operation == Operation::Create && attributes.is_of("", "pods")
}

/// Gives a new Pod the way to the API, unless it or its account does not want it, and its account's secrets for images,
/// when it brings none.
pub(crate) fn complete(world: &dyn World, attributes: &Attributes, pod: &mut Value) -> Result<(), Status> {
    if !concern(attributes) {
        return Ok(());
    }
    let account = find(world, attributes, pod)?;
    if volume::is_wanted(&account, pod) {
        volume::add(pod, *uuid::Uuid::new_v4().as_bytes());
    }
    let own = pod.pointer("/spec/imagePullSecrets").and_then(Value::as_array);
    if own.is_some_and(|list| !list.is_empty()) {
        return Ok(());
    }
    let secrets = account.get("imagePullSecrets").and_then(Value::as_array);
    if let Some(secrets) = secrets.filter(|list| !list.is_empty())
        && let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.insert("imagePullSecrets".to_owned(), Value::Array(secrets.clone()));
    }
    Ok(())
}

/// Admits a new Pod: its account must be there, and may limit which Secrets it uses.
pub(crate) fn admit(world: &dyn World, attributes: &Attributes, pod: Option<&Value>) -> Result<(), Status> {
    let Some(pod) = pod.filter(|_| concern(attributes)) else {
        return Ok(());
    };
    let account = find(world, attributes, pod)?;
    let enforces = account
        .pointer("/metadata/annotations")
        .and_then(|annotations| annotations.get(ENFORCE_SECRETS))
        .is_some_and(|value| value == "true");
    if !enforces {
        return Ok(());
    }
    match forbidden_secret(&account, pod) {
        None => Ok(()),
        Some(why) => Err(attributes.forbidden(Some(pod), &why)),
    }
}

/// The account of a Pod.
fn find(world: &dyn World, attributes: &Attributes, pod: &Value) -> Result<Arc<Value>, Status> {
    let namespace = attributes.namespace.as_deref().unwrap_or_default();
    let name = text(pod, "/spec/serviceAccountName");
    let name = if name.is_empty() { DEFAULT } else { name };
    world
        .get("", "serviceaccounts", Some(namespace), name)
        .ok_or_else(|| {
            let why = format!(
                "error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"
            );
            attributes.forbidden(Some(pod), &why)
        })
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn names<'a>(account: &'a Value, list: &str) -> BTreeSet<&'a str> {
    items(account, list).map(|secret| text(secret, "/name")).collect()
}

/// Why a Pod may not use one of its Secrets.
fn forbidden_secret(account: &Value, pod: &Value) -> Option<String> {
    let name = text(account, "/metadata/name");
    let mountable = names(account, "/secrets");
    let refuse = |what: String, secret: &str| {
        format!(
            "{what} secret.secretName=\"{secret}\" is not allowed because service account {name} does not reference that secret"
        )
    };
    for volume in items(pod, "/spec/volumes") {
        let secret = text(volume, "/secret/secretName");
        if !secret.is_empty() && !mountable.contains(secret) {
            return Some(refuse("volume with".to_owned(), secret));
        }
    }
    for (list, title) in [("initContainers", "init container"), ("containers", "container")] {
        for container in items(pod, &format!("/spec/{list}")) {
            let of = text(container, "/name");
            for variable in items(container, "/env") {
                let secret = text(variable, "/valueFrom/secretKeyRef/name");
                if !secret.is_empty() && !mountable.contains(secret) {
                    let variable = text(variable, "/name");
                    return Some(refuse(
                        format!("{title} {of} with envVar {variable} referencing"),
                        secret,
                    ));
                }
            }
            for source in items(container, "/envFrom") {
                let secret = text(source, "/secretRef/name");
                if !secret.is_empty() && !mountable.contains(secret) {
                    return Some(refuse(format!("{title} {of} with envFrom referencing"), secret));
                }
            }
        }
    }
    let pullable = names(account, "/imagePullSecrets");
    items(pod, "/spec/imagePullSecrets")
        .map(|secret| text(secret, "/name"))
        .enumerate()
        .find(|(_, secret)| !pullable.contains(secret))
        .map(|(index, secret)| {
            format!(
                "imagePullSecrets[{index}].name=\"{secret}\" is not allowed because service account {name} does not reference that imagePullSecret"
            )
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_that_says_so_limits_secrets() {
        let account = json!({"metadata": {"name": "a"}, "secrets": [{"name": "mine"}], "imagePullSecrets": [{"name": "pull"}]});
        let not = "is not allowed because service account a does not reference that";
        for (spec, expected) in [
            (
                json!({"volumes": [{"secret": {"secretName": "mine"}}], "imagePullSecrets": [{"name": "pull"}]}),
                None,
            ),
            (
                json!({"volumes": [{"secret": {"secretName": "x"}}]}),
                Some(format!("volume with secret.secretName=\"x\" {not} secret")),
            ),
            (
                json!({"containers": [{"name": "c", "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "x"}}}]}]}),
                Some(format!(
                    "container c with envVar E referencing secret.secretName=\"x\" {not} secret"
                )),
            ),
            (
                json!({"initContainers": [{"name": "c", "envFrom": [{"secretRef": {"name": "x"}}]}]}),
                Some(format!(
                    "init container c with envFrom referencing secret.secretName=\"x\" {not} secret"
                )),
            ),
            (
                json!({"imagePullSecrets": [{"name": "pull"}, {"name": "x"}]}),
                Some(format!("imagePullSecrets[1].name=\"x\" {not} imagePullSecret")),
            ),
        ] {
            assert_eq!(forbidden_secret(&account, &json!({ "spec": spec })), expected);
        }
    }
}
