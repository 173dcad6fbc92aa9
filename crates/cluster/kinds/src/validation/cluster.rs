//! Namespaces, events, leases and disruption budgets.

use serde_json::Value;

use super::path::Errors;
use super::workload::count_or_percent;
use super::{labels, metadata};
use crate::FieldError;
use crate::value::{Read as _, int_at, text_at};

/// A namespace.
pub(super) fn namespace(object: &Value, errors: &mut Errors) {
    metadata::finalizers(&object["spec"], "spec", errors);
}

/// An event is in the namespace of what it is about.
pub(super) fn event(object: &Value, errors: &mut Errors) {
    let about = text_at(object, &["involvedObject", "namespace"]);
    let namespace = text_at(object, &["metadata", "namespace"]);
    if about.is_empty() {
        if !namespace.is_empty() && namespace != "default" && namespace != "kube-system" {
            let detail = "does not match event.namespace";
            errors.push(FieldError::invalid("involvedObject.namespace", about, detail));
        }
    } else if about != namespace {
        errors.push(FieldError::invalid(
            "involvedObject.namespace",
            about,
            "does not match event.namespace",
        ));
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
}

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
}
