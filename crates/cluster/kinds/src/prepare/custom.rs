//! Doors into custom objects: the main one changes everything but the status, where that has a door of its own.

use serde_json::Value;

use super::keep_all_but;
use crate::kind::{Kind, Subresource};
use crate::value::{equivalent, keep, remove};

/// A custom object at birth.
pub(super) fn create(kind: &Kind, object: &mut Value) {
    if kind.has(Subresource::Status) {
        remove(object, "status");
    }
}

/// Gives the new object what may not change through this door.
pub(super) fn update(kind: &Kind, old: &Value, new: &mut Value, subresource: Option<Subresource>) {
    match subresource {
        Some(Subresource::Status) => {
            let fields = new.pointer("/metadata/managedFields").cloned();
            let revision = new.pointer("/metadata/resourceVersion").cloned();
            keep_all_but(old, new, &["status", "apiVersion", "kind"]);
            for (name, value) in [("managedFields", fields), ("resourceVersion", revision)] {
                if let (Some(value), Some(metadata)) = (value, new.get_mut("metadata")) {
                    metadata[name] = value;
                }
            }
        }
        _ if kind.has(Subresource::Status) => keep(old, new, "status"),
        _ => {}
    }
}

/// Whether a change makes a new generation: anything but the metadata, and the status where it has its own door.
pub(super) fn is_new_generation(kind: &Kind, old: &Value, new: &Value) -> bool {
    let counts = |name: &str| {
        !matches!(name, "apiVersion" | "kind" | "metadata")
            && (name != "status" || !kind.has(Subresource::Status))
    };
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
        return false;
    };
    let names = before.keys().chain(after.keys()).filter(|name| counts(name));
    names
        .into_iter()
        .any(|name| before.get(name) != after.get(name) && !both_missing(before.get(name), after.get(name)))
}

fn both_missing(before: Option<&Value>, after: Option<&Value>) -> bool {
    before.is_none_or(Value::is_null) && after.is_none_or(Value::is_null) && equivalent(before, after)
}
