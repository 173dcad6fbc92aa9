//! Defaults of namespaces, nodes, secrets and limits.

use base64::Engine as _;
use serde_json::Value;

use crate::value::{Read as _, child, default, default_text, ensure, items, remove};

/// A namespace carries its own name as a label, so that selectors can find it.
pub(super) fn namespace(object: &mut Value) {
    let Some(metadata) = child(object, "metadata") else {
        return;
    };
    let name = metadata.text("name").to_owned();
    if !name.is_empty()
        && let Some(labels) = ensure(metadata, "labels")
    {
        labels["kubernetes.io/metadata.name"] = name.into();
    }
}

/// What a node does not say about what may be used of it, may all be used.
pub(super) fn node(object: &mut Value) {
    if let Some(status) = child(object, "status")
        && let Some(capacity) = status.get("capacity").cloned()
    {
        default(status, "allocatable", capacity);
    }
}

/// `stringData` is for writing only and ends up in `data`; the type is `Opaque` unless said otherwise.
pub(super) fn secret(object: &mut Value) {
    default_text(object, "type", "Opaque");
    let Some(Value::Object(texts)) = remove(object, "stringData") else {
        return;
    };
    if texts.is_empty() {
        return;
    }
    let Some(data) = ensure(object, "data") else {
        return;
    };
    for (key, text) in texts {
        let text = text.as_str().unwrap_or_default();
        data[key.as_str()] = base64::engine::general_purpose::STANDARD.encode(text).into();
    }
}

/// In a container's limits, `max` stands in for `default`, `default` for `defaultRequest`, then `min` for it.
pub(super) fn limit_range(object: &mut Value) {
    let Some(spec) = child(object, "spec") else { return };
    for item in items(spec, "limits") {
        if item.text("type") != "Container" {
            continue;
        }
        for (from, to) in [
            ("max", "default"),
            ("default", "defaultRequest"),
            ("min", "defaultRequest"),
        ] {
            let Some(values) = item.map(from).cloned() else {
                continue;
            };
            if let Some(target) = ensure(item, to) {
                for (resource, value) in values {
                    default(target, &resource, value);
                }
            }
        }
    }
}
