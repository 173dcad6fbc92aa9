//! Volumes of a Pod: one name and one source each.

use serde_json::Value;

use super::environment::field_reference;
use super::mounts::{descending, no_steps_back};
use crate::FieldError;
use crate::quantity;
use crate::validation::names;
use crate::validation::path::{Errors, each, join, messages, required};
use crate::value::Read as _;

/// Largest mode of a file: 0777.
const LARGEST_MODE: i64 = 0o777;
/// Shortest lifetime of a projected token, in seconds.
const TOKEN_SECONDS: i64 = 600;
const HOST_PATH_TYPES: &[&str] = &[
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];
/// Fields of a Pod that a file may hold.
const FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

/// Checks the volumes, and gives their names.
pub(super) fn volumes<'a>(spec: &'a Value, path: &str, errors: &mut Errors) -> Vec<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for (index, volume) in spec.list("volumes").iter().enumerate() {
        let path = format!("{}[{index}]", join(path, "volumes"));
        let at = join(&path, "name");
        source(volume, &path, errors);
        match volume.text("name") {
            "" => errors.push(FieldError::required(&at, "")),
            name => {
                messages(&at, name, names::label(name), errors);
                if seen.contains(&name) {
                    errors.push(FieldError::duplicate(&at, name));
                }
                seen.push(name);
            }
        }
    }
    seen
}

fn source(volume: &Value, path: &str, errors: &mut Errors) {
    let mut count = 0;
    for (kind, source) in volume.as_object().into_iter().flatten() {
        if kind == "name" || source.is_null() {
            continue;
        }
        let at = join(path, kind);
        count += 1;
        if count > 1 {
            errors.push(FieldError::forbidden(
                &at,
                "may not specify more than 1 volume type",
            ));
            continue;
        }
        one_source(kind, source, &at, errors);
    }
    if count == 0 {
        errors.push(FieldError::required(path, "must specify a volume type"));
    }
}

fn one_source(kind: &str, source: &Value, path: &str, errors: &mut Errors) {
    match kind {
        "hostPath" => {
            if let Some(text) = required(source, path, "path", errors) {
                no_steps_back(text, &join(path, "path"), errors);
            }
            let kind = source.text("type");
            if !HOST_PATH_TYPES.contains(&kind) {
                errors.push(FieldError::not_supported(
                    &join(path, "type"),
                    kind,
                    HOST_PATH_TYPES,
                ));
            }
        }
        "emptyDir" => {
            let limit = source.get("sizeLimit").and_then(quantity::read);
            if limit.is_some_and(|limit| limit.nanos() < 0) {
                let detail = "SizeLimit field must be a valid resource quantity";
                errors.push(FieldError::forbidden(&join(path, "sizeLimit"), detail));
            }
        }
        "secret" => {
            required(source, path, "secretName", errors);
            files(source, path, errors);
        }
        "configMap" => {
            required(source, path, "name", errors);
            files(source, path, errors);
        }
        "downwardAPI" => downward(source, path, errors),
        "projected" => projected(source, path, errors),
        "persistentVolumeClaim" => {
            required(source, path, "claimName", errors);
        }
        "nfs" => {
            required(source, path, "server", errors);
            if let Some(text) = required(source, path, "path", errors)
                && !text.starts_with('/')
            {
                errors.push(FieldError::invalid(
                    &join(path, "path"),
                    text,
                    "must be an absolute path",
                ));
            }
        }
        "csi" => {
            required(source, path, "driver", errors);
        }
        _ => {}
    }
}

fn mode(holder: &Value, path: &str, key: &str, errors: &mut Errors) {
    if let Some(mode) = holder.int(key).filter(|mode| !(0..=LARGEST_MODE).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.push(FieldError::invalid(&join(path, key), mode, detail));
    }
}

fn files(source: &Value, path: &str, errors: &mut Errors) {
    mode(source, path, "defaultMode", errors);
    for (path, item) in each(source, path, "items") {
        required(item, &path, "key", errors);
        if let Some(text) = required(item, &path, "path", errors) {
            descending(text, &join(&path, "path"), errors);
        }
        mode(item, &path, "mode", errors);
    }
}

fn downward(source: &Value, path: &str, errors: &mut Errors) {
    mode(source, path, "defaultMode", errors);
    for (path, item) in each(source, path, "items") {
        if let Some(text) = required(item, &path, "path", errors) {
            descending(text, &join(&path, "path"), errors);
        }
        mode(item, &path, "mode", errors);
        match (item.get("fieldRef"), item.has("resourceFieldRef")) {
            (Some(_), true) => {
                errors.push(FieldError::invalid(
                    &path,
                    "resource",
                    "fieldRef and resourceFieldRef can not be specified simultaneously",
                ));
            }
            (Some(field), false) => field_reference(field, &join(&path, "fieldRef"), FIELDS, errors),
            (None, true) => {
                let path = join(&path, "resourceFieldRef");
                let reference = &item["resourceFieldRef"];
                required(reference, &path, "containerName", errors);
                required(reference, &path, "resource", errors);
            }
            (None, false) => {
                errors.push(FieldError::required(
                    &path,
                    "one of fieldRef and resourceFieldRef is required",
                ));
            }
        }
    }
}

fn projected(source: &Value, path: &str, errors: &mut Errors) {
    mode(source, path, "defaultMode", errors);
    for (path, projection) in each(source, path, "sources") {
        for key in ["secret", "configMap"] {
            if let Some(found) = projection.get(key) {
                let path = join(&path, key);
                required(found, &path, "name", errors);
                files(found, &path, errors);
            }
        }
        if let Some(fields) = projection.get("downwardAPI") {
            downward(fields, &join(&path, "downwardAPI"), errors);
        }
        if let Some(token) = projection.get("serviceAccountToken") {
            let path = join(&path, "serviceAccountToken");
            if let Some(text) = required(token, &path, "path", errors) {
                descending(text, &join(&path, "path"), errors);
            }
            if let Some(seconds) = token
                .int("expirationSeconds")
                .filter(|seconds| *seconds < TOKEN_SECONDS)
            {
                let detail = "may not specify a duration less than 10 minutes";
                errors.push(FieldError::invalid(
                    &join(&path, "expirationSeconds"),
                    seconds,
                    detail,
                ));
            }
        }
    }
}
