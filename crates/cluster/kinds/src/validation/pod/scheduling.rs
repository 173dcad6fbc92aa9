//! Where a Pod may run.

use serde_json::Value;

use crate::FieldError;
use crate::validation::path::{Errors, each, join, messages, one_of, optional_one_of};
use crate::validation::{labels, names};
use crate::value::Read as _;

/// Node selector, tolerations and spread.
pub(super) fn validate(spec: &Value, path: &str, errors: &mut Errors) {
    labels::labels(spec.get("nodeSelector"), &join(path, "nodeSelector"), errors);
    for (path, found) in each(spec, path, "tolerations") {
        toleration(found, &path, errors);
    }
    let constraints = spec.list("topologySpreadConstraints");
    for (index, (path, found)) in each(spec, path, "topologySpreadConstraints").enumerate() {
        constraint(found, &path, errors);
        if constraints[index + 1..]
            .iter()
            .any(|other| pair(other) == pair(found))
        {
            let (key, action) = pair(found);
            let at = join(&path, "{topologyKey, whenUnsatisfiable}");
            errors.push(FieldError::duplicate(&at, format!("{{{key}, {action}}}")));
        }
    }
}

/// What there may be one constraint of.
fn pair(constraint: &Value) -> (&str, &str) {
    (
        constraint.text("topologyKey"),
        constraint.text("whenUnsatisfiable"),
    )
}

/// How evenly Pods are to be spread.
fn constraint(constraint: &Value, path: &str, errors: &mut Errors) {
    let above_zero = "must be greater than zero";
    let skew = constraint.int("maxSkew").unwrap_or(0);
    if skew <= 0 {
        errors.push(FieldError::invalid(&join(path, "maxSkew"), skew, above_zero));
    }
    let (key, action) = pair(constraint);
    let at = join(path, "topologyKey");
    if key.is_empty() {
        errors.push(FieldError::required(&at, "can not be empty"));
    } else {
        messages(&at, key, names::qualified(key), errors);
    }
    let actions = ["DoNotSchedule", "ScheduleAnyway"];
    one_of(constraint, path, "whenUnsatisfiable", &actions, errors);
    if let Some(domains) = constraint.int("minDomains") {
        let at = join(path, "minDomains");
        if domains <= 0 {
            errors.push(FieldError::invalid(&at, domains, above_zero));
        }
        if action != "DoNotSchedule" {
            let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
            errors.push(FieldError::invalid(&at, domains, &detail));
        }
    }
    for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
        optional_one_of(constraint, path, policy, &["Honor", "Ignore"], errors);
    }
    if let Some(selector) = constraint.get("labelSelector") {
        labels::selector(selector, &join(path, "labelSelector"), errors);
    }
}

fn toleration(toleration: &Value, path: &str, errors: &mut Errors) {
    let (key, operator) = (toleration.text("key"), toleration.text("operator"));
    let at = join(path, "operator");
    if key.is_empty() {
        if operator != "Exists" {
            let detail =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(FieldError::invalid(&at, operator, detail));
        }
    } else {
        messages(&join(path, "key"), key, names::qualified(key), errors);
    }
    let effect = toleration.text("effect");
    if toleration.has("tolerationSeconds") && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.push(FieldError::invalid(&join(path, "effect"), effect, detail));
    }
    match operator {
        "" | "Equal" => {
            messages(
                &at,
                toleration.text("value"),
                names::label_value(toleration.text("value")),
                errors,
            );
        }
        "Exists" if !toleration.text("value").is_empty() => {
            let detail = "value must be empty when `operator` is 'Exists'";
            errors.push(FieldError::invalid(&at, toleration.clone(), detail));
        }
        "Exists" => {}
        other => errors.push(FieldError::not_supported(&at, other, &["Equal", "Exists"])),
    }
    let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if !effect.is_empty() && !effects.contains(&effect) {
        errors.push(FieldError::not_supported(&join(path, "effect"), effect, &effects));
    }
}
