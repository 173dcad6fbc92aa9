//! Quotas and limit ranges: names of resources and amounts that fit together.

use serde_json::Value;

use super::names;
use super::path::{Errors, NOT_NEGATIVE, each, join, messages};
use crate::value::Read as _;
use crate::{FieldError, quantity};

const QUOTA_RESOURCES: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];
const SCOPES: &[&str] = &[
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];

/// A quota.
pub(super) fn quota(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    for (resource, amount) in spec.map("hard").into_iter().flatten() {
        let path = format!("spec.hard[{resource}]");
        messages(&path, resource, names::qualified(resource), errors);
        let standard = QUOTA_RESOURCES.contains(&resource.as_str())
            || resource.starts_with("hugepages-")
            || resource.starts_with("requests.hugepages-");
        if !resource.contains('/') && !standard {
            errors.push(FieldError::invalid(
                &path,
                resource.as_str(),
                "must be a standard resource for quota",
            ));
        }
        if let Some(amount) = quantity::read(amount) {
            if amount.nanos() < 0 {
                errors.push(FieldError::invalid(&path, amount.to_string(), NOT_NEGATIVE));
            } else if is_counted(resource) && amount.nanos() % 1_000_000_000 != 0 {
                errors.push(FieldError::invalid(
                    &path,
                    amount.to_string(),
                    "must be an integer",
                ));
            }
        }
    }
    for scope in spec.list("scopes") {
        if !SCOPES.contains(&scope.as_str().unwrap_or_default()) {
            errors.push(FieldError::invalid(
                "spec.scopes",
                spec["scopes"].clone(),
                "unsupported scope",
            ));
        }
    }
}

fn is_counted(resource: &str) -> bool {
    resource.starts_with("count/")
        || matches!(
            resource,
            "pods"
                | "resourcequotas"
                | "services"
                | "replicationcontrollers"
                | "secrets"
                | "persistentvolumeclaims"
                | "configmaps"
                | "services.nodeports"
                | "services.loadbalancers"
        )
}

/// A limit range.
pub(super) fn limit_range(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let mut seen: Vec<&str> = Vec::new();
    for (path, item) in each(spec, "spec", "limits") {
        let kind = item.text("type");
        if kind.is_empty() {
            errors.push(FieldError::required(&join(&path, "type"), ""));
        } else if seen.contains(&kind) {
            errors.push(FieldError::duplicate(&join(&path, "type"), kind));
        }
        seen.push(kind);
        if kind == "Pod" {
            for key in ["default", "defaultRequest"] {
                if item.map(key).is_some_and(|map| !map.is_empty()) {
                    let detail = "may not be specified when `type` is 'Pod'";
                    errors.push(FieldError::forbidden(&join(&path, key), detail));
                }
            }
        }
        limits_in_order(item, &path, errors);
    }
}

/// Smaller, what it is called, greater, what it is called: in that order they must be.
const ORDER: &[(&str, &str, &str, &str)] = &[
    ("min", "min value", "max", "max value"),
    ("min", "min value", "defaultRequest", "default request value"),
    ("defaultRequest", "default request value", "max", "max value"),
    (
        "defaultRequest",
        "default request value",
        "default",
        "default limit value",
    ),
    ("min", "min value", "default", "default value"),
    ("default", "default value", "max", "max value"),
];

fn limits_in_order(item: &Value, path: &str, errors: &mut Errors) {
    for (less, less_name, more, more_name) in ORDER {
        for (resource, amount) in item.map(less).into_iter().flatten() {
            let (Some(small), Some(great)) = (
                quantity::read(amount),
                item.at(&[more, resource]).and_then(quantity::read),
            ) else {
                continue;
            };
            if small > great {
                let detail = format!("{less_name} {small} is greater than {more_name} {great}");
                let at = format!("{}[{resource}]", join(path, less));
                errors.push(FieldError::invalid(&at, small.to_string(), &detail));
            }
        }
    }
}
