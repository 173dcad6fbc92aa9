//! Deployments, `ReplicaSets` and revisions (`pkg/apis/apps/validation/validation.go`); what they share with
//! `StatefulSets`.

use serde_json::Value;

use super::names::explained;
use super::path::{Errors, NOT_NEGATIVE, join, not_negative};
use super::{labels, pod};
use crate::FieldError;
use crate::value::{Read as _, text_at};

/// A Deployment.
pub(super) fn deployment(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    not_negative(spec, "spec", &["replicas"], errors);
    selector_and_template(spec, "deployment", errors);
    strategy(&spec["strategy"], errors);
    not_negative(
        spec,
        "spec",
        &[
            "minReadySeconds",
            "revisionHistoryLimit",
            "progressDeadlineSeconds",
        ],
        errors,
    );
    let ready = spec.int("minReadySeconds").unwrap_or(0);
    if let Some(deadline) = spec
        .int("progressDeadlineSeconds")
        .filter(|deadline| *deadline <= ready)
    {
        let detail = "must be greater than minReadySeconds";
        errors.push(FieldError::invalid(
            "spec.progressDeadlineSeconds",
            deadline,
            detail,
        ));
    }
}

fn strategy(strategy: &Value, errors: &mut Errors) {
    match strategy.text("type") {
        "Recreate" if strategy.has("rollingUpdate") => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(FieldError::forbidden("spec.strategy.rollingUpdate", detail));
        }
        "RollingUpdate" => {
            let rolling = &strategy["rollingUpdate"];
            let at = "spec.strategy.rollingUpdate";
            let unavailable = count_or_percent(rolling, at, "maxUnavailable", true, errors);
            let surge = count_or_percent(rolling, at, "maxSurge", false, errors);
            if unavailable == Some(0) && surge == Some(0) {
                let given = rolling.get("maxUnavailable").cloned().unwrap_or_default();
                let detail = "may not be 0 when `maxSurge` is 0";
                errors.push(FieldError::invalid(
                    "spec.strategy.rollingUpdate.maxUnavailable",
                    given,
                    detail,
                ));
            }
        }
        "Recreate" => {}
        _ => {
            let known = ["Recreate", "RollingUpdate"];
            errors.push(FieldError::not_supported(
                "spec.strategy",
                strategy.clone(),
                &known,
            ));
        }
    }
}

/// Checks a number or a percentage, and gives the number in it.
pub(super) fn count_or_percent(
    object: &Value,
    path: &str,
    key: &str,
    up_to_all: bool,
    errors: &mut Errors,
) -> Option<i64> {
    let value = object.get(key)?;
    let path = join(path, key);
    let Value::String(text) = value else {
        let number = value.as_i64()?;
        if number < 0 {
            errors.push(FieldError::invalid(&path, number, NOT_NEGATIVE));
        }
        return Some(number);
    };
    let digits = text
        .strip_suffix('%')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let percent = digits.and_then(|digits| digits.parse::<i64>().ok());
    match percent {
        Some(percent) if up_to_all && percent > 100 => {
            errors.push(FieldError::invalid(
                &path,
                text.as_str(),
                "must not be greater than 100%",
            ));
        }
        Some(_) => {}
        None => {
            let message = "a valid percent string must be a numeric string followed by an ending '%'";
            let detail = explained(message, &["1%", "93%"], "[0-9]+%");
            errors.push(FieldError::invalid(&path, text.as_str(), &detail));
        }
    }
    percent
}

/// A `ReplicaSet`.
pub(super) fn replica_set(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    not_negative(spec, "spec", &["replicas", "minReadySeconds"], errors);
    selector_and_template(spec, "deployment", errors);
}

/// The selector, and the template that it has to select.
pub(super) fn selector_and_template(spec: &Value, what: &str, errors: &mut Errors) {
    match spec.get("selector").filter(|selector| !selector.is_null()) {
        None => errors.push(FieldError::required("spec.selector", "")),
        Some(selector) => {
            labels::selector(selector, "spec.selector", errors);
            if labels::is_empty(selector) {
                let detail = format!("empty selector is invalid for {what}");
                errors.push(FieldError::invalid("spec.selector", selector.clone(), &detail));
            } else if !labels::selects(selector, spec.at(&["template", "metadata", "labels"])) {
                let given = spec
                    .at(&["template", "metadata", "labels"])
                    .cloned()
                    .unwrap_or_default();
                let detail = "`selector` does not match template `labels`";
                errors.push(FieldError::invalid(
                    "spec.template.metadata.labels",
                    given,
                    detail,
                ));
            }
        }
    }
    let template = &spec["template"];
    pod::template(template, "spec.template", errors);
    let policy = text_at(template, &["spec", "restartPolicy"]);
    if !matches!(policy, "Always" | "") {
        let path = "spec.template.spec.restartPolicy";
        errors.push(FieldError::not_supported(path, policy, &["Always"]));
    }
    if template
        .at(&["spec", "activeDeadlineSeconds"])
        .is_some_and(|seconds| !seconds.is_null())
    {
        let path = "spec.template.spec.activeDeadlineSeconds";
        let detail = format!(
            "activeDeadlineSeconds in {} is not Supported",
            if what == "statefulset" {
                "StatefulSet"
            } else {
                "ReplicaSet"
            }
        );
        errors.push(FieldError::forbidden(path, &detail));
    }
}

/// A revision.
pub(super) fn revision(object: &Value, errors: &mut Errors) {
    if !object.has("data") {
        errors.push(FieldError::required("data", "data is mandatory"));
    }
    not_negative(object, "", &["revision"], errors);
}
