//! Pods and Pod templates (`ValidatePodSpec` of Kubernetes).

mod affinity;
mod container;
mod dns;
mod environment;
mod ephemeral;
mod gates;
mod mounts;
mod probe;
mod resources;
mod scheduling;
mod security;
mod update;
mod volume;

use serde_json::Value;

use super::path::{Errors, each, join, messages, one_of};
use super::{labels, names};
use crate::FieldError;
use crate::value::Read as _;

pub(super) use ephemeral::validate_update as validate_ephemeral_update;
pub(super) use update::validate_update;

/// Largest user or group id.
const LARGEST_ID: i64 = i32::MAX as i64;

/// A Pod.
pub(super) fn validate(object: &Value, errors: &mut Errors) {
    spec(&object["spec"], "spec", errors);
}

/// What only a new Pod may not have.
pub(super) fn validate_new(object: &Value, errors: &mut Errors) {
    if !object["spec"].list("ephemeralContainers").is_empty() {
        errors.push(FieldError::forbidden(
            "spec.ephemeralContainers",
            "cannot be set on create",
        ));
    }
    gates::validate_new(&object["spec"], errors);
}

/// A template of Pods.
pub(super) fn template(template: &Value, path: &str, errors: &mut Errors) {
    let metadata = join(path, "metadata");
    labels::labels(
        template["metadata"].get("labels"),
        &join(&metadata, "labels"),
        errors,
    );
    labels::annotations(
        template["metadata"].get("annotations"),
        &join(&metadata, "annotations"),
        errors,
    );
    let at = join(path, "spec");
    spec(&template["spec"], &at, errors);
    if !template["spec"].list("ephemeralContainers").is_empty() {
        let detail = "ephemeral containers not allowed in pod template";
        errors.push(FieldError::forbidden(&join(&at, "ephemeralContainers"), detail));
    }
}

fn spec(spec: &Value, path: &str, errors: &mut Errors) {
    let volumes = volume::volumes(spec, path, errors);
    container::containers(spec, path, &volumes, errors);
    one_of(
        spec,
        path,
        "restartPolicy",
        &["Always", "OnFailure", "Never"],
        errors,
    );
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(spec, path, "dnsPolicy", &dns, errors);
    dns::validate(spec, path, errors);
    super::path::not_negative(spec, path, &["terminationGracePeriodSeconds"], errors);
    if let Some(seconds) = spec
        .int("activeDeadlineSeconds")
        .filter(|seconds| !(1..=LARGEST_ID).contains(seconds))
    {
        let detail = format!("must be between 1 and {LARGEST_ID}, inclusive");
        errors.push(FieldError::invalid(
            &join(path, "activeDeadlineSeconds"),
            seconds,
            &detail,
        ));
    }
    some_names(spec, path, errors);
    for (path, secret) in each(spec, path, "imagePullSecrets") {
        super::path::required(secret, &path, "name", errors);
    }
    for (path, alias) in each(spec, path, "hostAliases") {
        messages(
            &join(&path, "ip"),
            alias.text("ip"),
            names::address(alias.text("ip")),
            errors,
        );
        for name in alias.list("hostnames").iter().filter_map(Value::as_str) {
            messages(&join(&path, "hostnames"), name, names::subdomain(name), errors);
        }
    }
    security::of_pod(spec, &join(path, "securityContext"), errors);
    gates::validate(spec, path, errors);
    operating_system(spec, path, errors);
    scheduling::validate(spec, path, errors);
    if let Some(found) = spec.get("affinity") {
        affinity::validate(found, &join(path, "affinity"), errors);
    }
}

fn some_names(spec: &Value, path: &str, errors: &mut Errors) {
    type Rule = fn(&str) -> Vec<String>;
    let rules: [(&str, Rule); 6] = [
        ("serviceAccountName", names::subdomain),
        ("nodeName", names::subdomain),
        ("hostname", names::label),
        ("subdomain", names::label),
        ("priorityClassName", names::subdomain),
        ("schedulerName", names::qualified),
    ];
    for (key, rule) in rules {
        let name = spec.text(key);
        if !name.is_empty() {
            messages(&join(path, key), name, rule(name), errors);
        }
    }
}

fn operating_system(spec: &Value, path: &str, errors: &mut Errors) {
    if !spec.has("os") {
        return;
    }
    let (path, name) = (join(path, "os"), spec["os"].text("name"));
    if name.is_empty() {
        errors.push(FieldError::required(&join(&path, "name"), "cannot be empty"));
    } else if !matches!(name, "linux" | "windows") {
        errors.push(FieldError::not_supported(&path, name, &["linux", "windows"]));
    }
}
