//! Debug containers: what they may have, and that those that are there stay as they are.

use serde_json::Value;

use crate::FieldError;
use crate::validation::path::{Errors, each, join};
use crate::value::{Read as _, equivalent, list_at};

/// What belongs to the services of a Pod, which a debug container is none of.
const FORBIDDEN: [&str; 8] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];
const CANNOT: &str = "cannot be set for an Ephemeral Container";

/// One debug container, beside what holds for every container.
pub(super) fn one(spec: &Value, container: &Value, path: &str, errors: &mut Errors) {
    let target = container.text("targetContainerName");
    let mut others = spec.list("containers").iter().chain(spec.list("initContainers"));
    if !target.is_empty() && !others.any(|other| other.text("name") == target) {
        errors.push(FieldError::not_found(&join(path, "targetContainerName"), target));
    }
    for key in FORBIDDEN {
        if container.get(key).is_some_and(|value| !is_empty(value)) {
            errors.push(FieldError::forbidden(&join(path, key), CANNOT));
        }
    }
    for (path, mount) in each(container, path, "volumeMounts") {
        for key in ["subPath", "subPathExpr"] {
            if !mount.text(key).is_empty() {
                errors.push(FieldError::forbidden(&join(&path, key), CANNOT));
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Only additions.
pub(in crate::validation) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    let path = "spec.ephemeralContainers";
    let after = list_at(new, &["spec", "ephemeralContainers"]);
    for before in list_at(old, &["spec", "ephemeralContainers"]) {
        let name = before.text("name");
        let detail = match after.iter().find(|container| container.text("name") == name) {
            Some(found) if equivalent(Some(before), Some(found)) => continue,
            Some(_) => format!("existing ephemeral containers {name:?} may not be changed\n"),
            None => format!("existing ephemeral containers {name:?} may not be removed\n"),
        };
        errors.push(FieldError::forbidden(path, &detail));
    }
}
