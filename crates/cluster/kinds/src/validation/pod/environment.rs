//! Environment variables of containers, and where they come from.

use serde_json::Value;

use crate::FieldError;
use crate::validation::names;
use crate::validation::path::{Errors, each, join, messages, required};
use crate::value::Read as _;

/// Fields of a Pod that a variable may hold.
const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const SOURCES: &[&str] = &[
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
];

/// `env` and `envFrom`.
pub(super) fn variables(container: &Value, path: &str, errors: &mut Errors) {
    for (path, variable) in each(container, path, "env") {
        if let Some(name) = required(variable, &path, "name", errors) {
            messages(&join(&path, "name"), name, names::variable(name), errors);
        }
        if let Some(source) = variable.get("valueFrom") {
            value_from(variable, source, &join(&path, "valueFrom"), errors);
        }
    }
    for (path, source) in each(container, path, "envFrom") {
        let prefix = source.text("prefix");
        if !prefix.is_empty() {
            messages(&join(&path, "prefix"), prefix, names::variable(prefix), errors);
        }
        match (source.get("configMapRef"), source.get("secretRef")) {
            (None, None) => {
                let detail = "must specify one of: `configMapRef` or `secretRef`";
                errors.push(FieldError::invalid(&path, "", detail));
            }
            (Some(_), Some(_)) => {
                let detail = "may not have more than one field specified at a time";
                errors.push(FieldError::invalid(&path, "", detail));
            }
            (Some(reference), None) => {
                required(reference, &join(&path, "configMapRef"), "name", errors);
            }
            (None, Some(reference)) => {
                required(reference, &join(&path, "secretRef"), "name", errors);
            }
        }
    }
}

fn value_from(variable: &Value, source: &Value, path: &str, errors: &mut Errors) {
    let count = SOURCES.iter().filter(|key| source.has(key)).count();
    if count == 0 {
        let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or \
                      `fileKeyRef`";
        errors.push(FieldError::invalid(path, "", detail));
    } else if !variable.text("value").is_empty() {
        errors.push(FieldError::invalid(
            path,
            "",
            "may not be specified when `value` is not empty",
        ));
    } else if count > 1 {
        errors.push(FieldError::invalid(
            path,
            "",
            "may not have more than one field specified at a time",
        ));
    }
    if let Some(field) = source.get("fieldRef") {
        field_reference(field, &join(path, "fieldRef"), FIELDS, errors);
    }
    if let Some(reference) = source.get("resourceFieldRef") {
        let path = join(path, "resourceFieldRef");
        if let Some(resource) = required(reference, &path, "resource", errors)
            && !RESOURCES.contains(&resource)
            && !resource.contains("hugepages-")
        {
            errors.push(FieldError::not_supported(
                &join(&path, "resource"),
                resource,
                RESOURCES,
            ));
        }
    }
    for key in ["configMapKeyRef", "secretKeyRef"] {
        if let Some(reference) = source.get(key) {
            let path = join(path, key);
            required(reference, &path, "name", errors);
            if let Some(key) = required(reference, &path, "key", errors) {
                messages(&join(&path, "key"), key, names::config_key(key), errors);
            }
        }
    }
}

/// A field of the Pod, or one label or annotation of it.
pub(super) fn field_reference(reference: &Value, path: &str, known: &[&str], errors: &mut Errors) {
    let Some(field) = required(reference, path, "fieldPath", errors) else {
        return;
    };
    let at = join(path, "fieldPath");
    let key = ["metadata.labels['", "metadata.annotations['"]
        .iter()
        .find_map(|start| field.strip_prefix(start)?.strip_suffix("']"));
    match key {
        Some(key) => messages(&at, key, names::qualified(&key.to_lowercase()), errors),
        None if known.contains(&field) => {}
        None => errors.push(FieldError::not_supported(&at, field, known)),
    }
}
