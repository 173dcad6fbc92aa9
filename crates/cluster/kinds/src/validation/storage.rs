//! Claims for volumes.

use serde_json::Value;

use super::path::{Errors, join, nth, optional_one_of};
use crate::value::{Read as _, equivalent, remove};
use crate::{FieldError, quantity};

const ACCESS_MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

/// A claim, or the template of one; `path` is that of its spec.
pub(super) fn claim(object: &Value, path: &str, errors: &mut Errors) {
    let spec = &object["spec"];
    if spec.list("accessModes").is_empty() {
        errors.push(FieldError::required(
            &join(path, "accessModes"),
            "at least 1 access mode is required",
        ));
    }
    for (index, mode) in spec.list("accessModes").iter().enumerate() {
        if !ACCESS_MODES.contains(&mode.as_str().unwrap_or_default()) {
            let at = nth(path, "accessModes", index);
            errors.push(FieldError::not_supported(&at, mode.clone(), ACCESS_MODES));
        }
    }
    let at = join(path, "resources[storage]");
    match spec
        .at(&["resources", "requests", "storage"])
        .and_then(quantity::read)
    {
        None => errors.push(FieldError::required(&at, "")),
        Some(size) if size.nanos() <= 0 => {
            errors.push(FieldError::invalid(
                &at,
                size.to_string(),
                "must be greater than zero",
            ));
        }
        Some(_) => {}
    }
    optional_one_of(spec, path, "volumeMode", &["Block", "Filesystem"], errors);
}

/// A claim keeps what it asked for, but may ask for more room.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    let fixed = |claim: &Value| {
        let mut spec = claim["spec"].clone();
        for key in ["resources", "volumeName", "volumeAttributesClassName"] {
            remove(&mut spec, key);
        }
        spec
    };
    if !equivalent(Some(&fixed(old)), Some(&fixed(new))) {
        let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for \
                      bound claims";
        errors.push(FieldError::forbidden("spec", detail));
    }
}
