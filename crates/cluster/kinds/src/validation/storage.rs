//! Claims for volumes.

use serde_json::Value;

use super::path::{Errors, IMMUTABLE, join, messages, optional_one_of, required};
use super::{labels, names};
use crate::value::{Read as _, equivalent, keep, remove, text_at};
use crate::{FieldError, quantity};

const ACCESS_MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

/// A claim, or the template of one; `path` is that of its spec.
pub(super) fn claim(object: &Value, path: &str, errors: &mut Errors) {
    let spec = &object["spec"];
    if spec.list("accessModes").is_empty() {
        errors.push(FieldError::required(
            &join(path, "accessModes"),
            "at least 1 access mode is required",
        ));
    }
    if let Some(selector) = spec.get("selector") {
        labels::selector(selector, &join(path, "selector"), errors);
    }
    access_modes(spec, &join(path, "accessModes"), errors);
    let at = join(path, "resources[storage]");
    match spec
        .at(&["resources", "requests", "storage"])
        .and_then(quantity::read)
    {
        None => errors.push(FieldError::required(&at, "")),
        Some(size) if size.nanos() <= 0 => {
            errors.push(FieldError::invalid(
                &at,
                size.to_string(),
                "must be greater than zero",
            ));
        }
        Some(_) => {}
    }
    class(spec, path, "storageClassName", errors);
    optional_one_of(spec, path, "volumeMode", &["Block", "Filesystem"], errors);
    sources(spec, path, errors);
    class(spec, path, "volumeAttributesClassName", errors);
}

fn access_modes(spec: &Value, path: &str, errors: &mut Errors) {
    let modes = spec.list("accessModes");
    for mode in modes {
        if !ACCESS_MODES.contains(&mode.as_str().unwrap_or_default()) {
            errors.push(FieldError::not_supported(path, mode.clone(), ACCESS_MODES));
        }
    }
    let alone = |mode: &&Value| *mode == "ReadWriteOncePod";
    let known = modes
        .iter()
        .filter(|mode| ACCESS_MODES.contains(&mode.as_str().unwrap_or_default()));
    if modes.iter().any(|mode| alone(&mode)) && !known.clone().all(|mode| alone(&mode)) {
        let detail = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(path, detail));
    }
}

fn class(spec: &Value, path: &str, key: &str, errors: &mut Errors) {
    let name = spec.text(key);
    if !name.is_empty() {
        messages(&join(path, key), name, names::subdomain(name), errors);
    }
}

/// What a claim is filled from: the older field and the newer one, which have to say the same.
fn sources(spec: &Value, path: &str, errors: &mut Errors) {
    for key in ["dataSource", "dataSourceRef"] {
        if spec.has(key) {
            source(&spec[key], &join(path, key), errors);
        }
    }
    let (old, new) = (&spec["dataSource"], &spec["dataSourceRef"]);
    if !old.is_object() || !new.is_object() {
        return;
    }
    let detail = if !new.text("namespace").is_empty() {
        "may not be specified when dataSourceRef.namespace is specified"
    } else if ["apiGroup", "kind", "name"]
        .iter()
        .any(|key| old.text(key) != new.text(key))
    {
        "must match dataSourceRef"
    } else {
        return;
    };
    errors.push(FieldError::invalid(path, join(path, "dataSource"), detail));
}

fn source(source: &Value, path: &str, errors: &mut Errors) {
    required(source, path, "name", errors);
    required(source, path, "kind", errors);
    let (group, kind) = (source.text("apiGroup"), source.text("kind"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.push(FieldError::invalid(path, kind, detail));
    }
    if !group.is_empty() {
        messages(&join(path, "apiGroup"), group, names::subdomain(group), errors);
    }
    let namespace = source.text("namespace");
    if !namespace.is_empty() {
        messages(
            &join(path, "namespace"),
            namespace,
            names::label(namespace),
            errors,
        );
    }
}

/// A claim keeps what it asked for; once it is bound it may ask for more room. A volume it gets once, and a class too.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    let before = &old["spec"];
    let mut after = new["spec"].clone();
    if before.text("volumeName").is_empty() {
        remove(&mut after, "volumeName");
    }
    if !before.has("storageClassName") {
        remove(&mut after, "storageClassName");
    }
    remove(&mut after, "volumeAttributesClassName");
    if text_at(new, &["status", "phase"]) == "Bound"
        && let Some(requests) = after.pointer_mut("/resources/requests")
    {
        keep(&before["resources"]["requests"], requests, "storage");
    }
    let mut fixed = before.clone();
    remove(&mut fixed, "volumeAttributesClassName");
    if !equivalent(Some(&fixed), Some(&after)) {
        let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for \
                      bound claims";
        errors.push(FieldError::forbidden("spec", detail));
    }
    room(old, new, errors);
    let (before, after) = (before.get("volumeMode"), new["spec"].get("volumeMode"));
    if !equivalent(before, after) {
        let given = after.cloned().unwrap_or_default();
        errors.push(FieldError::invalid("volumeMode", given, IMMUTABLE));
    }
    attributes_class(&old["spec"], &new["spec"], errors);
}

/// Room may be given back only where it was never got.
fn room(old: &Value, new: &Value, errors: &mut Errors) {
    let of = |object: &Value, path: &[&str]| object.at(path).and_then(quantity::read);
    let wanted = ["spec", "resources", "requests", "storage"];
    let got = of(old, &["status", "capacity", "storage"]).unwrap_or_default();
    if let (Some(before), Some(after)) = (of(old, &wanted), of(new, &wanted))
        && after < before
        && after <= got
    {
        let detail = "field can not be less than status.capacity";
        errors.push(FieldError::forbidden(&wanted.join("."), detail));
    }
}

fn attributes_class(old: &Value, new: &Value, errors: &mut Errors) {
    let key = "volumeAttributesClassName";
    if !old.has(key) || !new.text(key).is_empty() {
        return;
    }
    let what = if new.has(key) { "an empty string" } else { "nil" };
    if old.get(key) != new.get(key) {
        let detail = format!("update from non-nil value to {what} is forbidden");
        errors.push(FieldError::forbidden(&join("spec", key), &detail));
    }
}
