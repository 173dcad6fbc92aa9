//! What of a Pod may change once it is there: images, a nearer deadline, more tolerations, fewer gates; and while it has
//! gates, where it may go.

use serde_json::Value;

use super::gates;
use crate::FieldError;
use crate::validation::path::Errors;
use crate::value::{Read as _, child, ensure, equivalent, int_at, items, keep, list_at, remove};

/// Compares the two specs without what may change.
pub(in crate::validation) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    let mut stop = false;
    for list in ["containers", "initContainers"] {
        if list_at(old, &["spec", list]).len() != list_at(new, &["spec", list]).len() {
            let detail = "pod updates may not add or remove containers";
            errors.push(FieldError::forbidden(&format!("spec.{list}"), detail));
            stop = true;
        }
    }
    if stop {
        return;
    }
    deadline(old, new, errors);
    tolerations(old, new, errors);
    gates::validate_update(old, new, errors);
    let mut masked = new["spec"].clone();
    let before = &old["spec"];
    for key in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        keep(before, &mut masked, key);
    }
    if gates::is_gated(before) {
        gates::narrows(before, &new["spec"], errors);
        keep_place(before, &mut masked);
    }
    if int_at(old, &["spec", "terminationGracePeriodSeconds"]).is_some_and(|seconds| seconds < 0)
        && int_at(new, &["spec", "terminationGracePeriodSeconds"]) == Some(1)
    {
        keep(before, &mut masked, "terminationGracePeriodSeconds");
    }
    for list in ["containers", "initContainers"] {
        for (container, old) in items(&mut masked, list).zip(before.list(list)) {
            keep(old, container, "image");
        }
    }
    let changed = differences(before, &masked);
    if !changed.is_empty() {
        let detail = format!("{MAY_NOT_CHANGE}\nchanged: {}", changed.join(", "));
        errors.push(FieldError::forbidden("spec", &detail));
    }
}

/// Where the Pod may go, which has been looked at.
fn keep_place(before: &Value, masked: &mut Value) {
    keep(before, masked, "nodeSelector");
    let nodes = before.at(&["affinity", "nodeAffinity"]);
    if let Some(nodes) = nodes {
        if let Some(affinity) = ensure(masked, "affinity") {
            affinity["nodeAffinity"] = nodes.clone();
        }
    } else if let Some(affinity) = child(masked, "affinity") {
        remove(affinity, "nodeAffinity");
    }
}

const MAY_NOT_CHANGE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Kubernetes shows a difference of Go structures here; the paths of what has changed say the same.
fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut keys: Vec<&String> = old
        .as_object()
        .into_iter()
        .chain(new.as_object())
        .flat_map(serde_json::Map::keys)
        .collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| !equivalent(old.get(key.as_str()), new.get(key.as_str())))
        .map(|key| format!("spec.{key}"))
        .collect()
}

fn deadline(old: &Value, new: &Value, errors: &mut Errors) {
    let path = "spec.activeDeadlineSeconds";
    let Some(before) = int_at(old, &["spec", "activeDeadlineSeconds"]) else {
        return;
    };
    match int_at(new, &["spec", "activeDeadlineSeconds"]) {
        None => {
            let detail = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid(path, Value::Null, detail));
        }
        Some(after) if after > before => {
            errors.push(FieldError::invalid(
                path,
                after,
                "must be less than or equal to previous value",
            ));
        }
        Some(_) => {}
    }
}

fn tolerations(old: &Value, new: &Value, errors: &mut Errors) {
    let plain = |toleration: &Value| {
        let mut toleration = toleration.clone();
        remove(&mut toleration, "tolerationSeconds");
        toleration
    };
    let after: Vec<Value> = list_at(new, &["spec", "tolerations"]).iter().map(plain).collect();
    let kept = list_at(old, &["spec", "tolerations"])
        .iter()
        .all(|toleration| after.contains(&plain(toleration)));
    if !kept {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden("spec.tolerations", detail));
    }
}
