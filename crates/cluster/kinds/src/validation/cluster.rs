//! Nodes, namespaces, leases and disruption budgets.

use serde_json::Value;

use super::path::{Errors, join, messages, nth, one_of, optional_one_of};
use super::workload::count_or_percent;
use super::{labels, metadata, names};
use crate::FieldError;
use crate::value::{Read as _, int_at};

/// A namespace.
pub(super) fn namespace(object: &Value, errors: &mut Errors) {
    metadata::finalizers(&object["spec"], "spec", errors);
}

/// A node: its taints, at the place where upstream has them.
pub(super) fn node(object: &Value, errors: &mut Errors) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (index, taint) in object["spec"].list("taints").iter().enumerate() {
        let path = nth("metadata", "taints", index);
        let (key, effect) = (taint.text("key"), taint.text("effect"));
        messages(&join(&path, "key"), key, names::qualified(key), errors);
        let value = taint.text("value");
        messages(&join(&path, "value"), value, names::label_value(value), errors);
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        one_of(taint, &path, "effect", &effects, errors);
        if seen.contains(&(key, effect)) {
            let mut twice = FieldError::duplicate(&path, taint.clone());
            twice
                .detail
                .push_str(": taints must be unique by key and effect pair");
            errors.push(twice);
        }
        seen.push((key, effect));
    }
}

/// A lease.
pub(super) fn lease(object: &Value, errors: &mut Errors) {
    if let Some(seconds) = int_at(object, &["spec", "leaseDurationSeconds"]).filter(|seconds| *seconds <= 0) {
        errors.push(FieldError::invalid(
            "spec.leaseDurationSeconds",
            seconds,
            "must be greater than 0",
        ));
    }
    if let Some(count) = int_at(object, &["spec", "leaseTransitions"]).filter(|count| *count < 0) {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid("spec.leaseTransitions", count, detail));
    }
    election(&object["spec"], errors);
}

/// How holders are elected. Upstream names the field twice in this path.
fn election(spec: &Value, errors: &mut Errors) {
    let strategy = spec.text("strategy");
    let path = "spec.strategy.strategy";
    if strategy.contains('/') {
        messages(path, strategy, names::qualified(strategy), errors);
    } else if spec.has("strategy") && strategy != ELECTION {
        errors.push(FieldError::not_supported(path, strategy, &[ELECTION]));
    }
    if strategy.is_empty() && !spec.text("preferredHolder").is_empty() {
        let detail = "may only be specified if `strategy` is defined";
        errors.push(FieldError::forbidden("spec.preferredHolder", detail));
    }
}

/// The only strategy that Kubernetes has of its own.
const ELECTION: &str = "OldestEmulationVersion";

/// A disruption budget.
pub(super) fn budget(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if spec.has("minAvailable") && spec.has("maxUnavailable") {
        let detail = "minAvailable and maxUnavailable cannot be both set";
        errors.push(FieldError::invalid("spec", spec.clone(), detail));
    }
    for key in ["minAvailable", "maxUnavailable"] {
        count_or_percent(spec, "spec", key, true, errors);
    }
    if let Some(selector) = spec.get("selector") {
        labels::selector(selector, "spec.selector", errors);
    }
    let known = ["AlwaysAllow", "IfHealthyBudget"];
    optional_one_of(spec, "spec", "unhealthyPodEvictionPolicy", &known, errors);
}
