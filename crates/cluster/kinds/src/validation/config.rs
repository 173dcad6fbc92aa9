//! `ConfigMaps` and Secrets: keys, sizes, and the keys that a type of Secret has to have.

use base64::Engine as _;
use serde_json::Value;

use super::names;
use super::path::{Errors, IMMUTABLE, messages, unchanged};
use crate::FieldError;
use crate::kind::Kind;
use crate::value::{Read as _, equivalent, text_at};

/// All values of one object together, in bytes.
const DATA_BYTES: usize = 1024 * 1024;

/// A `ConfigMap`.
pub(super) fn config_map(object: &Value, errors: &mut Errors) {
    let mut bytes = 0;
    for (key, value) in object.map("data").into_iter().flatten() {
        let path = format!("data[{key}]");
        messages(&path, key, names::config_key(key), errors);
        if object
            .map("binaryData")
            .is_some_and(|binary| binary.contains_key(key))
        {
            errors.push(FieldError::invalid(
                &path,
                key.as_str(),
                "duplicate of key present in binaryData",
            ));
        }
        bytes += value.as_str().map_or(0, str::len);
    }
    for (key, value) in object.map("binaryData").into_iter().flatten() {
        messages(&format!("binaryData[{key}]"), key, names::config_key(key), errors);
        bytes += decoded_bytes(value);
    }
    if bytes > DATA_BYTES {
        errors.push(FieldError::too_long("[]", DATA_BYTES));
    }
}

/// A Secret.
pub(super) fn secret(object: &Value, errors: &mut Errors) {
    let mut bytes = 0;
    for (key, value) in object.map("data").into_iter().flatten() {
        messages(&format!("data[{key}]"), key, names::config_key(key), errors);
        bytes += decoded_bytes(value);
    }
    if bytes > DATA_BYTES {
        errors.push(FieldError::too_long("data", DATA_BYTES));
    }
    let mut require = |keys: &[&str]| {
        for key in keys.iter().filter(|key| !object["data"].has(key)) {
            errors.push(FieldError::required(&format!("data[{key}]"), ""));
        }
    };
    match object.text("type") {
        "kubernetes.io/tls" => require(&["tls.crt", "tls.key"]),
        "kubernetes.io/ssh-auth" => require(&["ssh-privatekey"]),
        "kubernetes.io/dockercfg" => require(&[".dockercfg"]),
        "kubernetes.io/dockerconfigjson" => require(&[".dockerconfigjson"]),
        "kubernetes.io/basic-auth" if !object["data"].has("username") && !object["data"].has("password") => {
            require(&["username", "password"]);
        }
        "kubernetes.io/service-account-token" => service_account_token(object, errors),
        _ => {}
    }
    docker_config(object, errors);
}

fn service_account_token(object: &Value, errors: &mut Errors) {
    const ANNOTATION: &str = "kubernetes.io/service-account.name";
    if text_at(object, &["metadata", "annotations", ANNOTATION]).is_empty() {
        errors.push(FieldError::required(
            &format!("metadata.annotations[{ANNOTATION}]"),
            "",
        ));
    }
}

fn docker_config(object: &Value, errors: &mut Errors) {
    let key = match object.text("type") {
        "kubernetes.io/dockercfg" => ".dockercfg",
        "kubernetes.io/dockerconfigjson" => ".dockerconfigjson",
        _ => return,
    };
    let Some(text) = object["data"].get(key).and_then(Value::as_str) else {
        return;
    };
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap_or_default();
    if let Err(why) = serde_json::from_slice::<Value>(&bytes) {
        errors.push(FieldError::invalid(
            &format!("data[{key}]"),
            "<secret contents redacted>",
            &why.to_string(),
        ));
    }
}

/// What is marked as immutable stays; the type of a Secret always does.
pub(super) fn validate_update(kind: &Kind, old: &Value, new: &Value, errors: &mut Errors) {
    if kind.kind == "Secret" {
        unchanged(old, new, &["type"], errors);
    }
    if !old.flag("immutable") {
        return;
    }
    let detail = format!("{IMMUTABLE} when `immutable` is set");
    if !new.flag("immutable") {
        errors.push(FieldError::forbidden("immutable", &detail));
    }
    for key in ["data", "binaryData"] {
        if !equivalent(old.get(key), new.get(key)) {
            errors.push(FieldError::forbidden(key, &detail));
        }
    }
}

/// The size of what base64 text stands for, near enough for a limit of a megabyte.
fn decoded_bytes(value: &Value) -> usize {
    value
        .as_str()
        .map_or(0, |text| text.trim_end_matches('=').len() / 4 * 3)
}
