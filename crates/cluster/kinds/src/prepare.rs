//! Doors into an object: what a create or an update may set, and what stays as it was.
//!
//! The API server calls it after decoding and defaulting, before admission. The main door does not change the status
//! of a kind that has a status subresource, and the status door changes nothing but it. `metadata.uid` and
//! `metadata.creationTimestamp` are set by the API server before [`prepare_for_create`].

mod custom;
mod pod;
mod service;

use serde_json::{Value, json};

use crate::convert::keep_status_in_annotations;
use crate::kind::{Kind, Subresource};
use crate::value::{Read as _, child, default, ensure, equivalent, int_at, keep, remove, text_at};

/// Makes a new object what it may be at birth: its first status, its first generation.
pub fn prepare_for_create(kind: &Kind, object: &mut Value) {
    if !object.is_object() {
        return;
    }
    if let Some(metadata) = ensure(object, "metadata") {
        for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            remove(metadata, key);
        }
        remove(metadata, "generation");
        if has_generation(kind) {
            metadata["generation"] = 1.into();
        }
    }
    if kind.custom {
        custom::create(kind, object);
    } else if kind.has(Subresource::Status) && kind.key() != ("", "Node") {
        object["status"] = first_status(kind, object);
    }
    match kind.key() {
        ("", "Namespace") => {
            if let Some(spec) = ensure(object, "spec") {
                default(spec, "finalizers", json!(["kubernetes"]));
            }
        }
        ("", "Service") => service::complete_addresses(object),
        ("batch", "Job") => select_own_pods(object),
        _ => {}
    }
}

/// Gives the new object what may not change through this door; raises the generation when its spec has changed.
pub fn prepare_for_update(kind: &Kind, old: &Value, new: &mut Value, subresource: Option<Subresource>) {
    if !new.is_object() {
        return;
    }
    match subresource {
        _ if kind.custom => custom::update(kind, old, new, subresource),
        Some(Subresource::Status) => only_status(kind, old, new),
        Some(Subresource::Approval) => only_approval(old, new),
        Some(Subresource::Finalize) => only_finalizers(old, new),
        Some(Subresource::EphemeralContainers) => pod::only_ephemeral_containers(old, new),
        Some(_) | None => main_door(kind, old, new),
    }
    keep_identity(old, new);
    count_generation(kind, old, new, subresource);
}

/// What is wanted has changed, or not; a status says what is found.
fn count_generation(kind: &Kind, old: &Value, new: &mut Value, subresource: Option<Subresource>) {
    let before = int_at(old, &["metadata", "generation"]);
    let changed = if subresource == Some(Subresource::Status) {
        false
    } else if kind.custom {
        custom::is_new_generation(kind, old, new)
    } else {
        has_generation(kind)
            && generation_parts(kind)
                .iter()
                .any(|path| !equivalent(old.at(path), new.at(path)))
    };
    let after = if changed {
        Some(before.unwrap_or(0) + 1)
    } else {
        before
    };
    let Some(metadata) = child(new, "metadata") else {
        return;
    };
    remove(metadata, "selfLink");
    remove(metadata, "generation");
    if let Some(after) = after {
        metadata["generation"] = after.into();
    }
}

fn main_door(kind: &Kind, old: &Value, new: &mut Value) {
    if kind.has(Subresource::Status) {
        keep(old, new, "status");
    }
    match kind.key() {
        ("certificates.k8s.io", _) | ("", "Namespace") => keep(old, new, "spec"),
        ("", "Pod") => pod::complete(old, new),
        ("", "Service") => service::keep_addresses(old, new),
        ("autoscaling", _) if kind.version == "v1" => keep_status_in_annotations(old, new),
        ("batch", "Job") => keep_job_selector(old, new),
        _ => {}
    }
}

/// Only the status, and of the metadata only what a status writer has to do with.
fn only_status(kind: &Kind, old: &Value, new: &mut Value) {
    keep_all_but(old, new, &["metadata", "status", "apiVersion", "kind"]);
    if let (Some(metadata), Some(old_metadata)) = (child(new, "metadata"), old.get("metadata")) {
        for key in ["labels", "ownerReferences"] {
            keep(old_metadata, metadata, key);
        }
    }
    if kind.key() == ("", "Pod")
        && let (Some(status), Some(old_status)) = (child(new, "status"), old.get("status"))
        && old_status.has("qosClass")
    {
        keep(old_status, status, "qosClass");
    }
    if kind.group == "certificates.k8s.io" {
        keep_conditions(old, new, |kind| matches!(kind, "Approved" | "Denied"));
    }
}

/// Of a certificate request only the verdict: the conditions that approve and deny.
fn only_approval(old: &Value, new: &mut Value) {
    keep_all_but(old, new, &["metadata", "status", "apiVersion", "kind"]);
    if let (Some(status), Some(old_status)) = (ensure(new, "status"), old.get("status")) {
        keep(old_status, status, "certificate");
    }
    keep_conditions(old, new, |kind| !matches!(kind, "Approved" | "Denied"));
}

/// Of a namespace only its finalizers.
fn only_finalizers(old: &Value, new: &mut Value) {
    let finalizers = new.at(&["spec", "finalizers"]).cloned();
    keep_all_but(old, new, &["metadata", "apiVersion", "kind"]);
    if let Some(spec) = ensure(new, "spec") {
        match finalizers {
            Some(finalizers) => spec["finalizers"] = finalizers,
            None => drop(remove(spec, "finalizers")),
        }
    }
}

fn keep_all_but(old: &Value, new: &mut Value, changed: &[&str]) {
    let (Some(old), Some(map)) = (old.as_object(), new.as_object_mut()) else {
        return;
    };
    map.retain(|key, _| changed.contains(&key.as_str()));
    for (key, value) in old {
        if !changed.contains(&key.as_str()) {
            map.insert(key.clone(), value.clone());
        }
    }
}

/// Takes the conditions whose type is `ours` from the old object, and the others from the new one.
fn keep_conditions(old: &Value, new: &mut Value, ours: impl Fn(&str) -> bool) {
    let of = |object: &Value, wanted: bool| -> Vec<Value> {
        let conditions = object.at(&["status", "conditions"]).and_then(Value::as_array);
        let matching = conditions
            .into_iter()
            .flatten()
            .filter(|condition| ours(condition.text("type")) == wanted);
        matching.cloned().collect()
    };
    let mut conditions = of(old, true);
    conditions.extend(of(new, false));
    if let Some(status) = ensure(new, "status") {
        if conditions.is_empty() {
            remove(status, "conditions");
        } else {
            status["conditions"] = conditions.into();
        }
    }
}

/// What an update leaves out of the metadata is as it was, and deletion is not undone.
fn keep_identity(old: &Value, new: &mut Value) {
    let Some(old) = old.get("metadata") else { return };
    let Some(metadata) = ensure(new, "metadata") else {
        return;
    };
    for key in ["uid", "creationTimestamp", "name", "namespace", "generateName"] {
        if metadata.text(key).is_empty() {
            keep(old, metadata, key);
        }
    }
    for key in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        keep(old, metadata, key);
    }
}

fn has_generation(kind: &Kind) -> bool {
    if kind.custom {
        return true;
    }
    match kind.group {
        "" => kind.kind == "Pod",
        "apps" => kind.kind != "ControllerRevision",
        "autoscaling"
        | "batch"
        | "networking.k8s.io"
        | "policy"
        | "discovery.k8s.io"
        | "admissionregistration.k8s.io"
        | "apiextensions.k8s.io" => true,
        _ => false,
    }
}

/// The parts whose change makes a new generation.
fn generation_parts(kind: &Kind) -> &'static [&'static [&'static str]] {
    match kind.key() {
        ("apps", "Deployment") => &[&["spec"], &["metadata", "annotations"]],
        ("admissionregistration.k8s.io", _) => &[&["webhooks"]],
        ("discovery.k8s.io", _) => &[
            &["endpoints"],
            &["ports"],
            &["metadata", "labels"],
            &["metadata", "annotations"],
        ],
        _ => &[&["spec"]],
    }
}

fn first_status(kind: &Kind, object: &Value) -> Value {
    match kind.key() {
        ("", "Pod") => pod::first_status(object),
        ("", "Namespace") => json!({ "phase": "Active" }),
        ("", "PersistentVolumeClaim") => json!({ "phase": "Pending" }),
        ("", "Service") | ("networking.k8s.io", "Ingress") => json!({ "loadBalancer": {} }),
        ("apps", "ReplicaSet") => json!({ "replicas": 0 }),
        ("apps", "StatefulSet") => json!({ "replicas": 0, "availableReplicas": 0 }),
        ("autoscaling", _) if kind.version == "v1" => json!({ "currentReplicas": 0, "desiredReplicas": 0 }),
        ("autoscaling", _) => json!({ "desiredReplicas": 0 }),
        ("policy", _) => {
            json!({ "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0 })
        }
        _ => json!({}),
    }
}

/// A Job without a selector of its own selects its own Pods by the Job's uid.
fn select_own_pods(object: &mut Value) {
    let uid = text_at(object, &["metadata", "uid"]).to_owned();
    let name = text_at(object, &["metadata", "name"]).to_owned();
    let Some(spec) = child(object, "spec") else { return };
    if spec.flag("manualSelector") || uid.is_empty() {
        return;
    }
    let Some(template) = child(spec, "template") else {
        return;
    };
    let labels = ensure(template, "metadata").and_then(|metadata| ensure(metadata, "labels"));
    if let Some(labels) = labels {
        for prefix in ["", "batch.kubernetes.io/"] {
            default(labels, &format!("{prefix}job-name"), name.clone());
            default(labels, &format!("{prefix}controller-uid"), uid.clone());
        }
    }
    if let Some(selector) = ensure(spec, "selector").and_then(|selector| ensure(selector, "matchLabels")) {
        default(selector, "batch.kubernetes.io/controller-uid", uid);
    }
}

/// `kubectl replace` with the file that made the Job leaves out what was generated.
fn keep_job_selector(old: &Value, new: &mut Value) {
    let generated = [
        "job-name",
        "controller-uid",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/controller-uid",
    ];
    let Some(old_spec) = old.get("spec") else { return };
    let Some(spec) = child(new, "spec") else { return };
    if spec.has("selector") || spec.flag("manualSelector") {
        return;
    }
    keep(old_spec, spec, "selector");
    let Some(old_labels) = old_spec.at(&["template", "metadata", "labels"]) else {
        return;
    };
    let metadata = child(spec, "template").and_then(|template| ensure(template, "metadata"));
    if let Some(labels) = metadata.and_then(|metadata| ensure(metadata, "labels")) {
        for key in generated {
            if old_labels.has(key) && !labels.has(key) {
                keep(old_labels, labels, key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
