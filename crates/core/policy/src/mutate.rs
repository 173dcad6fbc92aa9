//! The mutating half of the Pod guard: what a tool's Pod gets where it names nothing itself.
//!
//! It never overrides what is there: whether that is allowed is for [`crate::admit_pod`] to say, in words. Doing it
//! twice changes nothing.

mod token;

use json_patch::PatchOperation;
use serde_json::{Map, Value, json};
use toolforge_model::ToolAccount;

/// Which part of the Pod may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MutationScope {
    /// A Pod being created.
    Pod,
    /// A Pod to which ephemeral containers are added: nothing else of it may change any more.
    EphemeralContainers,
}

/// The changes that make this Pod run as its tool, as a JSON patch.
pub fn mutate_pod(account: &ToolAccount, scope: MutationScope, pod: &Value) -> Vec<PatchOperation> {
    let mut changed = pod.clone();
    if let Some(spec) = changed.get_mut("spec").and_then(Value::as_object_mut) {
        let lists: &[&str] = match scope {
            MutationScope::Pod => {
                complete_pod(spec, account);
                &["initContainers", "containers", "ephemeralContainers"]
            }
            MutationScope::EphemeralContainers => &["ephemeralContainers"],
        };
        for list in lists {
            let containers = spec
                .get_mut(*list)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten();
            for container in containers.filter_map(Value::as_object_mut) {
                complete_container(container);
            }
        }
    }
    json_patch::diff(pod, &changed).0
}

fn complete_pod(spec: &mut Map<String, Value>, account: &ToolAccount) {
    token::forgo(spec);
    if let Some(context) = object_at(spec, "securityContext") {
        for id in ["runAsUser", "runAsGroup", "fsGroup"] {
            set_default(context, id, || json!(account.uid));
        }
        set_default(context, "seccompProfile", || json!({"type": "RuntimeDefault"}));
    }
}

fn complete_container(container: &mut Map<String, Value>) {
    let Some(context) = object_at(container, "securityContext") else {
        return;
    };
    // The API refuses these two beside a forbidden escalation, in words that explain less than the guard's.
    let privileged = context.get("privileged") == Some(&json!(true));
    let adds = context
        .get("capabilities")
        .and_then(|capabilities| capabilities.get("add"));
    let administers = adds
        .and_then(Value::as_array)
        .is_some_and(|add| add.iter().any(is_administrator));
    if !privileged && !administers {
        set_default(context, "allowPrivilegeEscalation", || json!(false));
    }
    if let Some(capabilities) = object_at(context, "capabilities") {
        set_default(capabilities, "drop", || json!([]));
        let drop = capabilities.get_mut("drop").and_then(Value::as_array_mut);
        if let Some(drop) = drop.filter(|drop| !drop.contains(&json!("ALL"))) {
            drop.push(json!("ALL"));
        }
    }
}

fn is_administrator(capability: &Value) -> bool {
    matches!(capability.as_str(), Some("SYS_ADMIN" | "CAP_SYS_ADMIN"))
}

/// Sets what is missing or null.
fn set_default(object: &mut Map<String, Value>, key: &str, value: impl FnOnce() -> Value) {
    if object.get(key).is_none_or(Value::is_null) {
        object.insert(key.to_owned(), value());
    }
}

/// The object at a key, made when it is missing; nothing when something else stands there.
fn object_at<'a>(object: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    set_default(object, key, || json!({}));
    object.get_mut(key)?.as_object_mut()
}

#[cfg(test)]
mod tests;
