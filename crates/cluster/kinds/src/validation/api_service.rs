//! `APIService`s: the name, the order, and who answers for the group.
//!
//! One rule is stricter than Kubernetes': nobody may ask the API to trust a server without looking at its certificate, since
//! the API tells that server who its users are.

use serde_json::Value;

use super::names;
use super::path::{Errors, join, messages, required};
use crate::FieldError;
use crate::value::Read as _;

/// Limits of both priorities.
const GROUP_PRIORITY: std::ops::RangeInclusive<i64> = 1..=20_000;
const VERSION_PRIORITY: std::ops::RangeInclusive<i64> = 1..=1_000;

pub(super) fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let (group, version) = (spec.text("group"), spec.text("version"));
    let wanted = format!("{version}.{group}");
    let name = object["metadata"].text("name");
    if name != wanted {
        let detail = format!("must be `spec.version+\".\"+spec.group`: \"{wanted}\"");
        errors.push(FieldError::invalid("metadata.name", name, &detail));
    }
    if !group.is_empty() {
        messages("spec.group", group, names::subdomain(group), errors);
    }
    if version.is_empty() {
        errors.push(FieldError::required("spec.version", ""));
    } else {
        messages("spec.version", version, names::label(version), errors);
    }
    for (field, limits) in [
        ("groupPriorityMinimum", GROUP_PRIORITY),
        ("versionPriority", VERSION_PRIORITY),
    ] {
        let number = spec.int(field).unwrap_or(0);
        if !limits.contains(&number) {
            let detail = format!("must be positive and not greater than {}", limits.end());
            errors.push(FieldError::invalid(&join("spec", field), number, &detail));
        }
    }
    match spec.get("service") {
        Some(service) => remote(spec, service, errors),
        None => local(spec, errors),
    }
}

fn remote(spec: &Value, service: &Value, errors: &mut Errors) {
    required(service, "spec.service", "name", errors);
    required(service, "spec.service", "namespace", errors);
    let port = service.int("port").unwrap_or(443);
    for message in names::port(port) {
        let detail = format!("port is not valid: {message}");
        errors.push(FieldError::invalid("spec.service.port", port, &detail));
    }
    if spec.flag("insecureSkipTLSVerify") {
        let detail = "the API tells this server who its users are and does not do so without verification; put the \
                      authority of the server's certificate into caBundle";
        errors.push(FieldError::forbidden("spec.insecureSkipTLSVerify", detail));
    }
}

fn local(spec: &Value, errors: &mut Errors) {
    if !spec.text("caBundle").is_empty() {
        let detail = "local APIServices may not have a caBundle";
        errors.push(FieldError::invalid(
            "spec.caBundle",
            spec.text("caBundle"),
            detail,
        ));
    }
    if spec.flag("insecureSkipTLSVerify") {
        let detail = "local APIServices may not have insecureSkipTLSVerify";
        errors.push(FieldError::invalid("spec.insecureSkipTLSVerify", true, detail));
    }
}
