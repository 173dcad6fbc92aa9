//! `HorizontalPodAutoscaler`s, in the form of `autoscaling/v2`; the older version is looked at as that.

use serde_json::Value;

use super::names;
use super::path::{Errors, NOT_NEGATIVE, each, join, messages, not_negative, optional_one_of};
use crate::FieldError;
use crate::quantity;
use crate::value::{Read as _, text_at};

/// Sources of metrics and their fields, in the order in which upstream looks at them.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];
/// The same as messages list them.
const KNOWN_SOURCES: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
/// How far back recommendations may be looked at.
const LONGEST_WINDOW_SECONDS: i64 = 3600;
/// How far back a policy may count changes.
const LONGEST_PERIOD_SECONDS: i64 = 1800;

/// An autoscaler; `old` is what it was before, if it was.
pub(super) fn autoscaler(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    let (least, most) = (spec.int("minReplicas"), spec.int("maxReplicas").unwrap_or(0));
    if let Some(least) = least.filter(|least| *least < 1) {
        let detail = "must be greater than or equal to 1";
        errors.push(FieldError::invalid("spec.minReplicas", least, detail));
    }
    if most < 1 {
        errors.push(FieldError::invalid("spec.maxReplicas", most, POSITIVE));
    }
    if least.is_some_and(|least| most < least) {
        let detail = "must be greater than or equal to `minReplicas`";
        errors.push(FieldError::invalid("spec.maxReplicas", most, detail));
    }
    let target = &spec["scaleTargetRef"];
    let was_so = old.is_some_and(|old| {
        text_at(old, &["spec", "scaleTargetRef", "apiVersion"]) == target.text("apiVersion")
    });
    reference(target, "spec.scaleTargetRef", errors);
    if !was_so && target.text("kind") != "ReplicationController" {
        grouped(target, "spec.scaleTargetRef", errors);
    }
    for (path, metric) in each(spec, "spec", "metrics") {
        source(metric, &path, errors);
    }
    for direction in ["scaleUp", "scaleDown"] {
        if let Some(rules) = spec.at(&["behavior", direction]) {
            scaling_rules(rules, &format!("spec.behavior.{direction}"), errors);
        }
    }
}

/// The counters of its status.
pub(super) fn status(object: &Value, errors: &mut Errors) {
    let counters = ["currentReplicas", "desiredReplicas"];
    not_negative(&object["status"], "status", &counters, errors);
}

const POSITIVE: &str = "must be greater than 0";

fn reference(target: &Value, path: &str, errors: &mut Errors) {
    for key in ["kind", "name"] {
        let (text, path) = (target.text(key), join(path, key));
        if text.is_empty() {
            errors.push(FieldError::required(&path, ""));
        } else {
            messages(&path, text, names::path_segment(text), errors);
        }
    }
}

/// What can be scaled is in a group.
fn grouped(target: &Value, path: &str, errors: &mut Errors) {
    let version = target.text("apiVersion");
    let detail = match version.split('/').collect::<Vec<_>>().as_slice() {
        [_] | ["", _] => "apiVersion must specify API group".to_owned(),
        [_, _] => return,
        _ => format!("unexpected GroupVersion string: {version}"),
    };
    errors.push(FieldError::invalid(&join(path, "apiVersion"), version, &detail));
}

fn source(metric: &Value, path: &str, errors: &mut Errors) {
    let kind = metric.text("type");
    let wanted = SOURCES
        .iter()
        .find(|(name, _)| *name == kind)
        .map(|(_, key)| *key);
    if kind.is_empty() {
        let detail = "must specify a metric source type";
        errors.push(FieldError::required(&join(path, "type"), detail));
    }
    if wanted.is_none() {
        errors.push(FieldError::not_supported(
            &join(path, "type"),
            kind,
            &KNOWN_SOURCES,
        ));
    }
    let mut present = SOURCES
        .iter()
        .map(|(_, key)| *key)
        .filter(|key| metric.has(key))
        .peekable();
    if let Some(first) = present.peek() {
        details(first, &metric[*first], &join(path, first), errors);
    }
    let present: Vec<&str> = present.collect();
    if let Some(wanted) = wanted.filter(|wanted| !metric.has(wanted)) {
        let detail = "must populate information for the given metric source";
        errors.push(FieldError::required(&join(path, wanted), detail));
    }
    if present.len() != 1 {
        for key in present.into_iter().filter(|key| Some(*key) != wanted) {
            let detail = "must populate the given metric source only";
            errors.push(FieldError::forbidden(&join(path, key), detail));
        }
    }
}

fn details(source: &str, of: &Value, path: &str, errors: &mut Errors) {
    match source {
        "object" | "external" | "pods" => {
            if source == "object" {
                reference(&of["describedObject"], &join(path, "describedObject"), errors);
            }
            metric_name(&of["metric"], &join(path, "metric"), errors);
            target(&of["target"], &join(path, "target"), errors);
            amount(source, &of["target"], &join(path, "target"), errors);
        }
        _ => {
            if of.text("name").is_empty() {
                let detail = "must specify a resource name";
                errors.push(FieldError::required(&join(path, "name"), detail));
            }
            if source == "containerResource" {
                container(of.text("container"), &join(path, "container"), errors);
            }
            target(&of["target"], &join(path, "target"), errors);
            use_of(&of["target"], &join(path, "target"), errors);
        }
    }
}

fn container(name: &str, path: &str, errors: &mut Errors) {
    if name.is_empty() {
        errors.push(FieldError::required(path, "must specify a container"));
    } else {
        messages(path, name, names::label(name), errors);
    }
}

fn metric_name(metric: &Value, path: &str, errors: &mut Errors) {
    let (name, path) = (metric.text("name"), join(path, "name"));
    if name.is_empty() {
        errors.push(FieldError::required(&path, "must specify a metric name"));
    } else {
        messages(&path, name, names::path_segment(name), errors);
    }
}

fn target(target: &Value, path: &str, errors: &mut Errors) {
    let kind = target.text("type");
    if kind.is_empty() {
        let detail = "must specify a metric target type";
        errors.push(FieldError::required(&join(path, "type"), detail));
    }
    if !matches!(kind, "Utilization" | "Value" | "AverageValue") {
        let detail = "must be either Utilization, Value, or AverageValue";
        errors.push(FieldError::invalid(&join(path, "type"), kind, detail));
    }
    for key in ["value", "averageValue"] {
        if let Some(value) = target.get(key).filter(|value| !value.is_null())
            && quantity::read(value).is_none_or(|amount| amount.nanos() <= 0)
        {
            errors.push(FieldError::invalid(
                &join(path, key),
                value.clone(),
                "must be positive",
            ));
        }
    }
    if let Some(percent) = target.int("averageUtilization").filter(|percent| *percent < 1) {
        errors.push(FieldError::invalid(
            &join(path, "averageUtilization"),
            percent,
            POSITIVE,
        ));
    }
}

fn amount(source: &str, target: &Value, path: &str, errors: &mut Errors) {
    let (total, average) = (target.has("value"), target.has("averageValue"));
    let missing = match source {
        "object" => (!total && !average).then_some("must set either a target value or averageValue"),
        "external" => {
            (!total && !average).then_some("must set either a target value for metric or a per-pod target")
        }
        _ => (!average).then_some("must specify a positive target averageValue"),
    };
    if let Some(detail) = missing {
        errors.push(FieldError::required(&join(path, "averageValue"), detail));
    }
    if source == "external" && total && average {
        let detail = "may not set both a target value for metric and a per-pod target";
        errors.push(FieldError::forbidden(&join(path, "value"), detail));
    }
}

fn use_of(target: &Value, path: &str, errors: &mut Errors) {
    let (share, amount) = (target.has("averageUtilization"), target.has("averageValue"));
    if !share && !amount {
        let detail = "must set either a target raw value or a target utilization";
        errors.push(FieldError::required(&join(path, "averageUtilization"), detail));
    }
    if share && amount {
        let detail = "may not set both a target raw value and a target utilization";
        errors.push(FieldError::forbidden(&join(path, "averageValue"), detail));
    }
}

fn scaling_rules(rules: &Value, path: &str, errors: &mut Errors) {
    if let Some(seconds) = rules.int("stabilizationWindowSeconds") {
        let path = join(path, "stabilizationWindowSeconds");
        if seconds < 0 {
            let detail = "must be greater than or equal to zero";
            errors.push(FieldError::invalid(&path, seconds, detail));
        }
        at_most(seconds, LONGEST_WINDOW_SECONDS, &path, errors);
    }
    optional_one_of(rules, path, "selectPolicy", &["Disabled", "Max", "Min"], errors);
    if rules.list("policies").is_empty() {
        let detail = "must specify at least one Policy";
        errors.push(FieldError::required(&join(path, "policies"), detail));
    }
    for (path, policy) in each(rules, path, "policies") {
        let kind = policy.text("type");
        if !matches!(kind, "Percent" | "Pods") {
            let known = ["Percent", "Pods"];
            errors.push(FieldError::not_supported(&join(&path, "type"), kind, &known));
        }
        for key in ["value", "periodSeconds"] {
            let number = policy.int(key).unwrap_or(0);
            if number <= 0 {
                errors.push(FieldError::invalid(
                    &join(&path, key),
                    number,
                    "must be greater than zero",
                ));
            }
        }
        let period = policy.int("periodSeconds").unwrap_or(0);
        at_most(
            period,
            LONGEST_PERIOD_SECONDS,
            &join(&path, "periodSeconds"),
            errors,
        );
    }
    if let Some(tolerance) = rules.get("tolerance").filter(|tolerance| !tolerance.is_null())
        && quantity::read(tolerance).is_some_and(|amount| amount.nanos() < 0)
    {
        let path = join(path, "tolerance");
        errors.push(FieldError::invalid(&path, tolerance.clone(), NOT_NEGATIVE));
    }
}

fn at_most(number: i64, most: i64, path: &str, errors: &mut Errors) {
    if number > most {
        let detail = format!("must be less than or equal to {most}");
        errors.push(FieldError::invalid(path, number, &detail));
    }
}
