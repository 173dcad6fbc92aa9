//! Scopes of quota: which Pods a quota counts.

use serde_json::Value;

use crate::pod::{self, Side};
use crate::selector::Operator;

/// Whether a quota counts an object: all its scopes must match.
pub(super) fn matches(quota: &Value, plural: &str, object: &Value) -> bool {
    let list = |pointer: &str| {
        quota
            .pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    list("/spec/scopes")
        .filter_map(Value::as_str)
        .all(|scope| is_in(scope, Operator::Exists, &[], plural, object))
        && list("/spec/scopeSelector/matchExpressions").all(|expression| {
            let text = |field: &str| expression.get(field).and_then(Value::as_str);
            let values = expression
                .get("values")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let values: Vec<&str> = values.filter_map(Value::as_str).collect();
            let operator = match text("operator") {
                Some("In") => Operator::In,
                Some("NotIn") => Operator::NotIn,
                Some("DoesNotExist") => Operator::DoesNotExist,
                _ => Operator::Exists,
            };
            is_in(
                text("scopeName").unwrap_or_default(),
                operator,
                &values,
                plural,
                object,
            )
        })
}

/// All scopes are about Pods; nothing else is in any.
fn is_in(scope: &str, operator: Operator, values: &[&str], plural: &str, object: &Value) -> bool {
    if plural != "pods" {
        return false;
    }
    match scope {
        "Terminating" => has_deadline(object),
        "NotTerminating" => !has_deadline(object),
        "BestEffort" => is_best_effort(object),
        "NotBestEffort" => !is_best_effort(object),
        "PriorityClass" => {
            let class = object.pointer("/spec/priorityClassName").and_then(Value::as_str);
            operator.accepts(class.filter(|class| !class.is_empty()), values)
        }
        "CrossNamespacePodAffinity" => reaches_other_namespaces(object),
        _ => false,
    }
}

fn has_deadline(pod: &Value) -> bool {
    pod.pointer("/spec/activeDeadlineSeconds")
        .and_then(Value::as_i64)
        .is_some_and(|seconds| seconds >= 0)
}

/// A Pod of which no container asks for CPU or memory.
fn is_best_effort(pod: &Value) -> bool {
    let asks = |container: &Value, side: Side| {
        let amounts = pod::of_container(container, side);
        ["cpu", "memory"]
            .iter()
            .any(|name| amounts.get(name).is_some_and(|amount| !amount.is_zero()))
    };
    !["containers", "initContainers"]
        .iter()
        .flat_map(|list| pod::containers(pod, list))
        .any(|container| asks(container, Side::Requests) || asks(container, Side::Limits))
}

fn reaches_other_namespaces(pod: &Value) -> bool {
    let names = |term: &Value| {
        term.get("namespaces")
            .and_then(Value::as_array)
            .is_some_and(|names| !names.is_empty())
            || term
                .get("namespaceSelector")
                .is_some_and(|selector| !selector.is_null())
    };
    ["podAffinity", "podAntiAffinity"]
        .iter()
        .filter_map(|kind| pod.pointer(&format!("/spec/affinity/{kind}")))
        .any(|affinity| {
            let list = |field: &str| {
                affinity
                    .get(field)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
            };
            list("requiredDuringSchedulingIgnoredDuringExecution").any(names)
                || list("preferredDuringSchedulingIgnoredDuringExecution")
                    .filter_map(|weighted| weighted.get("podAffinityTerm"))
                    .any(names)
        })
}
