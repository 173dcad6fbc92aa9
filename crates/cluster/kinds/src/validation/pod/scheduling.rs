//! Where a Pod may run.

use serde_json::Value;

use crate::FieldError;
use crate::validation::path::{Errors, each, join, messages, one_of, required};
use crate::validation::{labels, names};
use crate::value::Read as _;

/// Node selector, tolerations and spread.
pub(super) fn validate(spec: &Value, path: &str, errors: &mut Errors) {
    labels::labels(spec.get("nodeSelector"), &join(path, "nodeSelector"), errors);
    for (path, found) in each(spec, path, "tolerations") {
        toleration(found, &path, errors);
    }
    for (path, constraint) in each(spec, path, "topologySpreadConstraints") {
        if let Some(skew) = constraint.int("maxSkew").filter(|skew| *skew <= 0) {
            errors.push(FieldError::invalid(
                &join(&path, "maxSkew"),
                skew,
                "must be greater than zero",
            ));
        }
        required(constraint, &path, "topologyKey", errors);
        one_of(
            constraint,
            &path,
            "whenUnsatisfiable",
            &["DoNotSchedule", "ScheduleAnyway"],
            errors,
        );
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
