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
            }
            if is_counted(resource) && amount.nanos() % 1_000_000_000 != 0 {
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
    // Upstream does not say which of the expressions it means.
    let path = "spec.scopeSelector.matchExpressions";
    let all = selector.list("matchExpressions");
    for wanted in all {
        let (scope, operator) = (wanted.text("scopeName"), wanted.text("operator"));
        if !SCOPES.contains(&scope) {
            let name = join(path, "scopeName");
            errors.push(FieldError::invalid(&name, scope, "unsupported scope"));
        }
        for _ in out_of_scope(spec, scope) {
            let why = "unsupported scope applied to resource";
            errors.push(FieldError::invalid(path, selector.clone(), why));
        }
        let valued = matches!(scope, "PriorityClass" | "VolumeAttributesClass");
        if SCOPES.contains(&scope) && !valued && operator != "Exists" {
            errors.push(FieldError::invalid(&join(path, "operator"), operator, MUST_EXIST));
        }
        scope_values(wanted, path, errors);
    }
    let has = |scope: &str| all.iter().any(|wanted| wanted.text("scopeName") == scope);
    for [one, other] in CONFLICTS {
        if has(one) && has(other) {
            let given = spec["scopes"].clone();
            errors.push(FieldError::invalid(path, given, "conflicting scopes"));
        }
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
        let bounds = |key: &str| item.at(&[key, "storage"]).is_some();
        if kind == "PersistentVolumeClaim" && !bounds("min") && !bounds("max") {
            let detail = "either minimum or maximum storage value is required, but neither was provided";
            errors.push(FieldError::required(&join(&path, "limits"), detail));
        }
        limits_in_order(item, &path, errors);
        ratios(item, &path, errors);
    }
}

/// One amount that must not be less than another, and how upstream tells it: under which field, with whose value.
struct Order {
    less: (&'static str, &'static str),
    more: (&'static str, &'static str),
    field: &'static str,
    shows_less: bool,
}

const fn order(
    less: (&'static str, &'static str),
    more: (&'static str, &'static str),
    field: &'static str,
    shows_less: bool,
) -> Order {
    Order {
        less,
        more,
        field,
        shows_less,
    }
}

const MIN: (&str, &str) = ("min", "min value");
const MAX: (&str, &str) = ("max", "max value");
const REQUEST: (&str, &str) = ("defaultRequest", "default request value");

const ORDER: &[Order] = &[
    order(MIN, MAX, "min", true),
    order(MIN, REQUEST, "defaultRequest", false),
    order(REQUEST, MAX, "defaultRequest", true),
    order(
        REQUEST,
        ("default", "default limit value"),
        "defaultRequest",
        true,
    ),
    order(MIN, ("default", "default value"), "default", true),
    order(("default", "default value"), MAX, "default", false),
];

fn limits_in_order(item: &Value, path: &str, errors: &mut Errors) {
    for Order {
        less: (less, less_name),
        more: (more, more_name),
        field,
        shows_less,
    } in ORDER
    {
        for (resource, amount) in item.map(less).into_iter().flatten() {
            let (Some(small), Some(great)) = (
                quantity::read(amount),
                item.at(&[more, resource]).and_then(quantity::read),
            ) else {
                continue;
            };
            if small > great {
                let detail = format!("{less_name} {small} is greater than {more_name} {great}");
                let at = format!("{}[{resource}]", join(path, field));
                let shown = if *shows_less { small } else { great };
                errors.push(FieldError::invalid(&at, shown.to_string(), &detail));
            }
        }
    }
}

/// How far limits may be above requests: at least not below them, and not further than the largest and smallest let.
fn ratios(item: &Value, path: &str, errors: &mut Errors) {
    for (resource, amount) in item.map("maxLimitRequestRatio").into_iter().flatten() {
        let Some(ratio) = quantity::read(amount) else {
            continue;
        };
        let at = format!("{}[{resource}]", join(path, "maxLimitRequestRatio"));
        if ratio.millis() < 1000 {
            let detail = format!("ratio {ratio} is less than 1");
            errors.push(FieldError::invalid(&at, ratio.to_string(), &detail));
        }
        let of = |key: &str| item.at(&[key, resource]).and_then(quantity::read);
        let (Some(min), Some(max)) = (of("min"), of("max")) else {
            continue;
        };
        if min.is_zero() || ratio.millis().saturating_mul(min.millis()) <= max.millis().saturating_mul(1000) {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "shown with six digits")]
        let most = max.millis() as f64 / min.millis() as f64;
        let detail = format!("ratio {ratio} is greater than max/min = {most:.6}");
        errors.push(FieldError::invalid(&at, ratio.to_string(), &detail));
    }
}
