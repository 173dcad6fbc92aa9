//! What a Pod waits for: gates before it is scheduled, and conditions that others set before it is ready.

use serde_json::Value;

use crate::FieldError;
use crate::validation::names;
use crate::validation::path::{Errors, each, join, messages};
use crate::value::{Read as _, list_at};

/// Names of gates and conditions.
pub(super) fn validate(spec: &Value, path: &str, errors: &mut Errors) {
    for (path, gate) in each(spec, path, "readinessGates") {
        let condition = gate.text("conditionType");
        messages(
            &join(&path, "conditionType"),
            condition,
            names::qualified(condition),
            errors,
        );
    }
    let mut seen: Vec<&str> = Vec::new();
    for (path, gate) in each(spec, path, "schedulingGates") {
        let name = gate.text("name");
        messages(&path, name, names::qualified(name), errors);
        if seen.contains(&name) {
            errors.push(FieldError::duplicate(&path, name));
        }
        seen.push(name);
    }
}

/// A Pod with gates has no node yet.
pub(super) fn validate_new(spec: &Value, errors: &mut Errors) {
    if is_gated(spec) && !spec.text("nodeName").is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden("spec.nodeName", detail));
    }
}

/// Whether a Pod still waits to be scheduled.
pub(super) fn is_gated(spec: &Value) -> bool {
    !spec.list("schedulingGates").is_empty()
}

/// Gates are only taken away.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    let before = list_at(old, &["spec", "schedulingGates"]);
    let known = |name: &str| before.iter().any(|gate| gate.text("name") == name);
    for (path, gate) in each(&new["spec"], "spec", "schedulingGates") {
        let name = gate.text("name");
        if !known(name) {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.push(FieldError::forbidden(&join(&path, "name"), &detail));
        }
    }
}

/// While a Pod waits, where it may go is narrowed and never widened: more labels of nodes, more expressions in a term.
/// What a Pod would like of its node may change as it likes.
pub(super) fn narrows(old: &Value, new: &Value, errors: &mut Errors) {
    let before = old.map("nodeSelector");
    let after = new.map("nodeSelector");
    let kept = |(key, value): (&String, &Value)| after.and_then(|after| after.get(key)) == Some(value);
    if !before.into_iter().flatten().all(kept) {
        let given = new.get("nodeSelector").cloned().unwrap_or_default();
        let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        errors.push(FieldError::invalid("spec.nodeSelector", given, detail));
    }
    let before = list_at(old, TERMS);
    let after = list_at(new, TERMS);
    if before.is_empty() {
        return;
    }
    let path = format!("spec.{}", TERMS.join("."));
    if before.len() != after.len() {
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        return errors.push(FieldError::invalid(&path, after.to_vec(), detail));
    }
    for (index, (before, after)) in before.iter().zip(after).enumerate() {
        let narrowed = ["matchExpressions", "matchFields"]
            .iter()
            .all(|list| after.list(list).starts_with(before.list(list)));
        if !narrowed {
            let detail = "only additions are allowed (no mutations or deletions)";
            errors.push(FieldError::invalid(
                &format!("{path}[{index}]"),
                after.clone(),
                detail,
            ));
        }
    }
}

/// Which nodes a Pod must have.
const TERMS: &[&str] = &[
    "affinity",
    "nodeAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "nodeSelectorTerms",
];
