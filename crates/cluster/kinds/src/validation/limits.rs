//! Quotas and limit ranges: names of resources and amounts that fit together.

use serde_json::Value;

use super::names;
use super::path::{Errors, IMMUTABLE, NOT_NEGATIVE, each, join, messages};
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
    scopes(spec, errors);
    if let Some(selector) = spec.get("scopeSelector") {
        scope_selector(spec, selector, errors);
    }
}

/// Scopes that no object can be in at once.
const CONFLICTS: &[[&str; 2]] = &[["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];

fn scopes(spec: &Value, errors: &mut Errors) {
    let all = spec.list("scopes");
    let mut refuse = |why: &str| {
        let given = spec["scopes"].clone();
        errors.push(FieldError::invalid("spec.scopes", given, why));
    };
    for scope in all.iter().filter_map(Value::as_str) {
        if !SCOPES.contains(&scope) {
            refuse("unsupported scope");
        }
        for _ in out_of_scope(spec, scope) {
            refuse("unsupported scope applied to resource");
        }
    }
    let has = |scope: &str| all.iter().any(|found| found.as_str() == Some(scope));
    for [one, other] in CONFLICTS {
        if has(one) && has(other) {
            refuse("conflicting scopes");
        }
    }
}

/// Resources of the quota that the scope says nothing about.
fn out_of_scope<'a>(spec: &'a Value, scope: &'a str) -> impl Iterator<Item = &'a String> {
    spec.map("hard")
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .filter(|resource| QUOTA_RESOURCES.contains(&resource.as_str()))
        .filter(move |resource| !fits_scope(scope, resource))
}

fn fits_scope(scope: &str, resource: &str) -> bool {
    let computes = matches!(
        resource,
        "pods" | "cpu" | "memory" | "limits.cpu" | "limits.memory" | "requests.cpu" | "requests.memory"
    );
    match scope {
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => computes,
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        _ => true,
    }
}

/// What is said of scopes that have no values.
const MUST_EXIST: &str = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, \
ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or \
ResourceQuotaScopeCrossNamespacePodAffinity";

fn scope_selector(spec: &Value, selector: &Value, errors: &mut Errors) {
    for (path, wanted) in each(selector, "spec.scopeSelector", "matchExpressions") {
        let scope = wanted.text("scopeName");
        let (name, operator) = (join(&path, "scopeName"), wanted.text("operator"));
        if !SCOPES.contains(&scope) {
            errors.push(FieldError::invalid(&name, scope, "unsupported scope"));
        }
        for _ in out_of_scope(spec, scope) {
            let why = "unsupported scope applied to resource";
            errors.push(FieldError::invalid("spec.scopeSelector", selector.clone(), why));
        }
        if !matches!(scope, "PriorityClass" | "VolumeAttributesClass") && operator != "Exists" {
            errors.push(FieldError::invalid(
                &join(&path, "operator"),
                operator,
                MUST_EXIST,
            ));
        }
        scope_values(wanted, &path, errors);
    }
}

fn scope_values(wanted: &Value, path: &str, errors: &mut Errors) {
    let values = join(path, "values");
    match wanted.text("operator") {
        "In" | "NotIn" if wanted.list("values").is_empty() => {
            let why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            errors.push(FieldError::required(&values, why));
        }
        "Exists" | "DoesNotExist" if !wanted.list("values").is_empty() => {
            let why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            errors.push(FieldError::invalid(&values, wanted["values"].clone(), why));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errors.push(FieldError::invalid(
            &join(path, "operator"),
            other,
            "not a valid selector operator",
        )),
    }
}

/// The scopes of a quota stay, whatever their order.
pub(super) fn validate_quota_update(old: &Value, new: &Value, errors: &mut Errors) {
    let sorted = |object: &Value| {
        let mut scopes: Vec<String> = object["spec"]
            .list("scopes")
            .iter()
            .map(Value::to_string)
            .collect();
        scopes.sort();
        scopes.dedup();
        scopes
    };
    if sorted(old) != sorted(new) {
        let given = new["spec"]["scopes"].clone();
        errors.push(FieldError::invalid("spec.scopes", given, IMMUTABLE));
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
