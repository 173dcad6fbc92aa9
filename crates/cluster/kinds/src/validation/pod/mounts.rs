//! Where containers mount volumes.

use serde_json::Value;

use crate::FieldError;
use crate::validation::path::{Errors, each, join, optional_one_of, required};
use crate::value::Read as _;

/// Mounts refer to volumes of the Pod and lie at places of their own.
pub(super) fn mounts(container: &Value, path: &str, volumes: &[&str], errors: &mut Errors) {
    let mut seen: Vec<&str> = Vec::new();
    for (path, mount) in each(container, path, "volumeMounts") {
        if let Some(name) = required(mount, &path, "name", errors)
            && !volumes.contains(&name)
        {
            errors.push(FieldError::not_found(&join(&path, "name"), name));
        }
        if let Some(place) = required(mount, &path, "mountPath", errors) {
            if seen.contains(&place) {
                errors.push(FieldError::invalid(
                    &join(&path, "mountPath"),
                    place,
                    "must be unique",
                ));
            }
            seen.push(place);
        }
        for key in ["subPath", "subPathExpr"] {
            descending(mount.text(key), &join(&path, key), errors);
        }
        if mount.has("subPath") && mount.has("subPathExpr") {
            let detail = "subPathExpr and subPath are mutually exclusive";
            errors.push(FieldError::invalid(
                &join(&path, "subPathExpr"),
                mount.text("subPathExpr"),
                detail,
            ));
        }
        let propagation = ["Bidirectional", "HostToContainer", "None"];
        optional_one_of(mount, &path, "mountPropagation", &propagation, errors);
    }
}

/// A path that stays below where it starts.
pub(super) fn descending(text: &str, path: &str, errors: &mut Errors) {
    if text.starts_with('/') {
        errors.push(FieldError::invalid(path, text, "must be a relative path"));
    }
    no_steps_back(text, path, errors);
}

/// A path without `..`.
pub(super) fn no_steps_back(text: &str, path: &str, errors: &mut Errors) {
    if text.split('/').any(|part| part == "..") {
        errors.push(FieldError::invalid(path, text, "must not contain '..'"));
    }
}
