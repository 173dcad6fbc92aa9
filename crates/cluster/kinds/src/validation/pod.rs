//! Pods and Pod templates (`ValidatePodSpec` of Kubernetes).

mod affinity;
mod container;
mod environment;
mod ephemeral;
mod mounts;
mod probe;
mod resources;
mod scheduling;
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
    if spec.text("dnsPolicy") == "None" && spec["dnsConfig"].list("nameservers").is_empty() {
        let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        errors.push(FieldError::required(&join(path, "dnsConfig.nameservers"), detail));
    }
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
    security(&spec["securityContext"], &join(path, "securityContext"), errors);
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

fn security(context: &Value, path: &str, errors: &mut Errors) {
    for key in ["runAsUser", "runAsGroup", "fsGroup"] {
        id(context, path, key, errors);
    }
    for (index, group) in context.list("supplementalGroups").iter().enumerate() {
        if let Some(number) = group.as_i64().filter(|number| !(0..=LARGEST_ID).contains(number)) {
            let path = format!("{path}.supplementalGroups[{index}]");
            errors.push(FieldError::invalid(&path, number, &id_range()));
        }
    }
    seccomp(context, path, errors);
}

/// A user or group id.
fn id(context: &Value, path: &str, key: &str, errors: &mut Errors) {
    if let Some(number) = context
        .int(key)
        .filter(|number| !(0..=LARGEST_ID).contains(number))
    {
        errors.push(FieldError::invalid(&join(path, key), number, &id_range()));
    }
}

fn id_range() -> String {
    format!("must be between 0 and {LARGEST_ID}, inclusive")
}

fn seccomp(context: &Value, path: &str, errors: &mut Errors) {
    let Some(profile) = context.get("seccompProfile") else {
        return;
    };
    let path = join(path, "seccompProfile");
    one_of(
        profile,
        &path,
        "type",
        &["Localhost", "RuntimeDefault", "Unconfined"],
        errors,
    );
    let at = join(&path, "localhostProfile");
    match (profile.text("type"), profile.has("localhostProfile")) {
        ("Localhost", false) => {
            errors.push(FieldError::required(
                &at,
                "must be set when seccomp type is Localhost",
            ));
        }
        ("Localhost", true) | (_, false) => {}
        (_, true) => {
            let given = profile.text("localhostProfile");
            errors.push(FieldError::invalid(
                &at,
                given,
                "can only be set when seccomp type is Localhost",
            ));
        }
    }
}
