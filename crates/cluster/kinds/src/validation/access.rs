//! Reviews: questions about tokens and rights.

use serde_json::Value;

use super::path::Errors;
use crate::FieldError;
use crate::value::{Read as _, list_at, text_at};

/// A token to look at.
pub(super) fn token(object: &Value, errors: &mut Errors) {
    if text_at(object, &["spec", "token"]).is_empty() {
        errors.push(FieldError::required("spec.token", ""));
    }
}

/// May somebody do something?
pub(super) fn review(kind: &str, object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    match kind {
        "SelfSubjectRulesReview" => {
            if spec.text("namespace").is_empty() {
                errors.push(FieldError::required("spec.namespace", ""));
            }
            return;
        }
        "SelfSubjectAccessReview" => {}
        _ => {
            if spec.text("user").is_empty() && list_at(object, &["spec", "groups"]).is_empty() {
                errors.push(FieldError::invalid(
                    "spec.user",
                    "",
                    "at least one of user or group must be specified",
                ));
            }
        }
    }
    let (resource, path) = (spec.has("resourceAttributes"), spec.has("nonResourceAttributes"));
    if resource == path {
        let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        let given = spec.get("nonResourceAttributes").cloned().unwrap_or_default();
        errors.push(FieldError::invalid("spec.resourceAttributes", given, detail));
    }
    if kind == "LocalSubjectAccessReview" {
        let namespace = text_at(object, &["metadata", "namespace"]);
        if path {
            let detail = "disallowed on this kind of request";
            errors.push(FieldError::forbidden("spec.nonResourceAttributes", detail));
        } else if text_at(object, &["spec", "resourceAttributes", "namespace"]) != namespace {
            let detail = "must match metadata.namespace";
            let given = text_at(object, &["spec", "resourceAttributes", "namespace"]);
            errors.push(FieldError::invalid(
                "spec.resourceAttributes.namespace",
                given,
                detail,
            ));
        }
    }
}
