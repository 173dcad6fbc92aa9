//! The metadata of every object (`ValidateObjectMeta` of apimachinery).

use serde_json::Value;

use super::path::{Errors, each, join, messages, nth, unchanged};
use super::{labels, names};
use crate::FieldError;
use crate::kind::{Kind, Storage};
use crate::value::Read as _;

/// Longest name of a `CronJob`: its Jobs add eleven characters.
const CRON_JOB_NAME_BYTES: usize = 52;
/// Finalizers that need no domain.
const PLAIN_FINALIZERS: &[&str] = &["kubernetes", "orphan", "foregroundDeletion"];

/// Name, namespace, labels, annotations, owners and finalizers.
pub(super) fn validate(kind: &Kind, object: &Value, errors: &mut Errors) {
    if kind.storage == Storage::Virtual {
        return;
    }
    let metadata = &object["metadata"];
    name(kind, metadata, errors);
    let namespace = metadata.text("namespace");
    match (kind.namespaced, namespace.is_empty()) {
        (true, true) => errors.push(FieldError::required("metadata.namespace", "")),
        (true, false) => messages("metadata.namespace", namespace, names::label(namespace), errors),
        (false, false) => errors.push(FieldError::forbidden(
            "metadata.namespace",
            "not allowed on this type",
        )),
        (false, true) => {}
    }
    labels::labels(metadata.get("labels"), "metadata.labels", errors);
    labels::annotations(metadata.get("annotations"), "metadata.annotations", errors);
    owners(metadata, errors);
    finalizers(metadata, "metadata", errors);
}

fn name(kind: &Kind, metadata: &Value, errors: &mut Errors) {
    let prefix = metadata.text("generateName");
    if !prefix.is_empty() {
        // The dash at the end of a prefix is not the end of the name.
        let name = prefix
            .strip_suffix('-')
            .map_or_else(|| prefix.to_owned(), |start| format!("{start}a"));
        messages("metadata.generateName", prefix, name_rule(kind)(&name), errors);
    }
    let name = metadata.text("name");
    if name.is_empty() {
        errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        ));
        return;
    }
    messages("metadata.name", name, name_rule(kind)(name), errors);
    if kind.key() == ("batch", "CronJob") && name.len() > CRON_JOB_NAME_BYTES {
        let detail = format!("must be no more than {CRON_JOB_NAME_BYTES} characters");
        errors.push(FieldError::invalid("metadata.name", name, &detail));
    }
}

fn name_rule(kind: &Kind) -> fn(&str) -> Vec<String> {
    match kind.key() {
        // Services had to begin with a letter once; newer Kubernetes takes any label, and tools have such names.
        ("", "Namespace" | "Service") | ("apps", "StatefulSet") => names::label,
        // The core group has no name: `v1.` ends in a dot.
        ("rbac.authorization.k8s.io" | "certificates.k8s.io" | "apiregistration.k8s.io", _) => {
            names::path_segment
        }
        _ => names::subdomain,
    }
}

fn owners(metadata: &Value, errors: &mut Errors) {
    let mut controller: Option<&str> = None;
    for (path, owner) in each(metadata, "metadata", "ownerReferences") {
        if owner.text("apiVersion").is_empty() {
            errors.push(FieldError::invalid(
                &join(&path, "apiVersion"),
                "",
                "version must not be empty",
            ));
        }
        for key in ["kind", "name", "uid"] {
            if owner.text(key).is_empty() {
                errors.push(FieldError::invalid(&join(&path, key), "", "must not be empty"));
            }
        }
        if !owner.flag("controller") {
            continue;
        }
        if let Some(first) = controller {
            let detail = format!(
                "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {}",
                owner.text("name")
            );
            let all = metadata.get("ownerReferences").cloned().unwrap_or_default();
            errors.push(FieldError::invalid("metadata.ownerReferences", all, &detail));
        }
        controller = Some(owner.text("name"));
    }
}

/// Finalizers are qualified names with a domain, but for the three that Kubernetes has of its own.
pub(super) fn finalizers(holder: &Value, path: &str, errors: &mut Errors) {
    let list = holder.list("finalizers");
    for (index, name) in list.iter().enumerate() {
        let name = name.as_str().unwrap_or_default();
        let path = nth(path, "finalizers", index);
        messages(&path, name, names::qualified(name), errors);
        if !name.contains('/') && !PLAIN_FINALIZERS.contains(&name) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(&path, name, detail));
        }
    }
    let has = |name: &str| list.iter().any(|finalizer| finalizer == name);
    if has("orphan") && has("foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid(
            &join(path, "finalizers"),
            list.to_vec(),
            detail,
        ));
    }
}

/// What of the metadata stays for an object's whole life.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    for key in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
    ] {
        unchanged(old, new, &["metadata", key], errors);
    }
    if old["metadata"].has("deletionTimestamp") {
        let before = old["metadata"].list("finalizers");
        let added: Vec<String> = new["metadata"]
            .list("finalizers")
            .iter()
            .filter(|finalizer| !before.contains(finalizer))
            .map(Value::to_string)
            .collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", &detail));
        }
    }
}
