//! `StatefulSets` (`pkg/apis/apps/validation/validation.go`).

use serde_json::Value;

use super::path::{Errors, each, join, messages, not_negative};
use super::workload::{count_or_percent, selector_and_template};
use super::{names, storage};
use crate::FieldError;
use crate::value::{Read as _, equivalent, remove};

/// A `StatefulSet`.
pub(super) fn stateful_set(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let policy = spec.text("podManagementPolicy");
    if !matches!(policy, "OrderedReady" | "Parallel") {
        let detail = "must be 'OrderedReady' or 'Parallel'";
        errors.push(FieldError::invalid("spec.podManagementPolicy", policy, detail));
    }
    strategy(&spec["updateStrategy"], errors);
    retention(&spec["persistentVolumeClaimRetentionPolicy"], errors);
    not_negative(
        spec,
        "spec",
        &["replicas", "minReadySeconds", "revisionHistoryLimit"],
        errors,
    );
    not_negative(&spec["ordinals"], "spec.ordinals", &["start"], errors);
    selector_and_template(spec, "statefulset", errors);
    for (path, claim) in each(spec, "spec", "volumeClaimTemplates") {
        storage::claim(claim, &join(&path, "spec"), errors);
    }
}

/// What only a new `StatefulSet` may not have: those that are stored keep the name of their Service.
pub(super) fn validate_new(object: &Value, errors: &mut Errors) {
    let name = object["spec"].text("serviceName");
    if !name.is_empty() {
        messages("spec.serviceName", name, names::label(name), errors);
    }
}

fn strategy(strategy: &Value, errors: &mut Errors) {
    let path = "spec.updateStrategy";
    let rolling = &strategy["rollingUpdate"];
    let at = join(path, "rollingUpdate");
    match strategy.text("type") {
        "OnDelete" if strategy.has("rollingUpdate") => {
            let detail = "only allowed for updateStrategy 'RollingUpdate'";
            errors.push(FieldError::invalid(&at, rolling.clone(), detail));
        }
        "OnDelete" => {}
        "RollingUpdate" => {
            not_negative(rolling, &at, &["partition"], errors);
            if count_or_percent(rolling, &at, "maxUnavailable", true, errors) == Some(0) {
                let given = rolling["maxUnavailable"].clone();
                errors.push(FieldError::invalid(
                    &join(&at, "maxUnavailable"),
                    given,
                    "cannot be 0",
                ));
            }
        }
        _ => {
            let detail = "must be 'RollingUpdate' or 'OnDelete'";
            errors.push(FieldError::invalid(path, strategy.clone(), detail));
        }
    }
}

fn retention(policy: &Value, errors: &mut Errors) {
    for key in ["whenDeleted", "whenScaled"] {
        let given = policy.text(key);
        if policy.is_object() && !matches!(given, "Retain" | "Delete") {
            let at = join("spec.persistentVolumeClaimRetentionPolicy", key);
            errors.push(FieldError::not_supported(&at, given, &["Retain", "Delete"]));
        }
    }
}

/// What may change in a `StatefulSet`; the rest may not.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    const FREE: &[&str] = &[
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |object: &Value| {
        let mut spec = object["spec"].clone();
        for key in FREE {
            remove(&mut spec, key);
        }
        spec
    };
    if !equivalent(Some(&fixed(old)), Some(&fixed(new))) {
        let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                      'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                      'minReadySeconds' are forbidden";
        errors.push(FieldError::forbidden("spec", detail));
    }
}
