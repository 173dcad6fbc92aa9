//! Which nodes and which neighbours a Pod must have, would like, or avoids.

use serde_json::Value;

use crate::FieldError;
use crate::validation::path::{Errors, each, join, messages};
use crate::validation::{labels, names};
use crate::value::Read as _;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// `spec.affinity`.
pub(super) fn validate(affinity: &Value, path: &str, errors: &mut Errors) {
    if let Some(nodes) = affinity.get("nodeAffinity") {
        node_affinity(nodes, &join(path, "nodeAffinity"), errors);
    }
    for side in ["podAffinity", "podAntiAffinity"] {
        let Some(found) = affinity.get(side) else { continue };
        let path = join(path, side);
        for (path, term) in each(found, &path, REQUIRED) {
            pod_term(term, &path, errors);
        }
        for (path, preference) in each(found, &path, PREFERRED) {
            weight(preference, &path, errors);
            pod_term(
                &preference["podAffinityTerm"],
                &join(&path, "podAffinityTerm"),
                errors,
            );
        }
    }
}

fn node_affinity(nodes: &Value, path: &str, errors: &mut Errors) {
    if let Some(required) = nodes.get(REQUIRED) {
        let path = join(path, REQUIRED);
        if required.list("nodeSelectorTerms").is_empty() {
            let detail = "must have at least one node selector term";
            errors.push(FieldError::required(&join(&path, "nodeSelectorTerms"), detail));
        }
        for (path, term) in each(required, &path, "nodeSelectorTerms") {
            node_term(term, &path, errors);
        }
    }
    for (path, preference) in each(nodes, path, PREFERRED) {
        weight(preference, &path, errors);
        node_term(&preference["preference"], &join(&path, "preference"), errors);
    }
}

fn weight(preference: &Value, path: &str, errors: &mut Errors) {
    let weight = preference.int("weight").unwrap_or(0);
    if !(1..=100).contains(&weight) {
        errors.push(FieldError::invalid(
            &join(path, "weight"),
            weight,
            "must be in the range 1-100",
        ));
    }
}

fn node_term(term: &Value, path: &str, errors: &mut Errors) {
    for (path, expression) in each(term, path, "matchExpressions") {
        let key = expression.text("key");
        messages(&join(&path, "key"), key, names::qualified(key), errors);
        let values = join(&path, "values");
        match (expression.text("operator"), expression.list("values").len()) {
            ("In" | "NotIn", 0) => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(&values, detail));
            }
            ("Exists" | "DoesNotExist", count) if count > 0 => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(&values, detail));
            }
            ("Gt" | "Lt", count) if count != 1 => {
                let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                errors.push(FieldError::required(&values, detail));
            }
            ("In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt", _) => {}
            (other, _) => {
                let operator = join(&path, "operator");
                errors.push(FieldError::invalid(
                    &operator,
                    other,
                    "not a valid selector operator",
                ));
            }
        }
    }
}

fn pod_term(term: &Value, path: &str, errors: &mut Errors) {
    let key = term.text("topologyKey");
    let at = join(path, "topologyKey");
    if key.is_empty() {
        errors.push(FieldError::required(&at, "can not be empty"));
    } else {
        messages(&at, key, names::qualified(key), errors);
    }
    for selector in ["labelSelector", "namespaceSelector"] {
        if let Some(found) = term.get(selector) {
            labels::selector(found, &join(path, selector), errors);
        }
    }
    for (index, namespace) in term.list("namespaces").iter().enumerate() {
        let namespace = namespace.as_str().unwrap_or_default();
        messages(
            &format!("{path}.namespaces[{index}]"),
            namespace,
            names::label(namespace),
            errors,
        );
    }
}
