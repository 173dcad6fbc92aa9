//! What containers ask for and are limited to.

use serde_json::Value;

use crate::validation::names;
use crate::validation::path::{Errors, NOT_NEGATIVE, join, messages};
use crate::value::Read as _;
use crate::{FieldError, quantity};

/// Limits and requests: known names, amounts that are not negative, and no request above its limit.
pub(super) fn validate(resources: &Value, path: &str, errors: &mut Errors) {
    for side in ["limits", "requests"] {
        for (name, amount) in resources.map(side).into_iter().flatten() {
            let path = format!("{}[{name}]", join(path, side));
            resource_name(name, &path, errors);
            let Some(amount) = quantity::read(amount) else {
                continue;
            };
            if amount.nanos() < 0 {
                errors.push(FieldError::invalid(&path, amount.to_string(), NOT_NEGATIVE));
            } else if name.contains('/') && amount.nanos() % 1_000_000_000 != 0 {
                errors.push(FieldError::invalid(
                    &path,
                    amount.to_string(),
                    "must be an integer",
                ));
            }
        }
    }
    for (name, request) in resources.map("requests").into_iter().flatten() {
        let limit = resources.at(&["limits", name]).and_then(quantity::read);
        let (Some(request), Some(limit)) = (quantity::read(request), limit) else {
            continue;
        };
        if request > limit {
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            errors.push(FieldError::invalid(
                &join(path, "requests"),
                request.to_string(),
                &detail,
            ));
        }
    }
}

fn resource_name(name: &str, path: &str, errors: &mut Errors) {
    messages(path, name, names::qualified(name), errors);
    let standard = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if !name.contains('/') && !standard {
        errors.push(FieldError::invalid(
            path,
            name,
            "must be a standard resource for containers",
        ));
    }
}
