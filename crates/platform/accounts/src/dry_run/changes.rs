//! In which fields two states of an object differ.
//!
//! Pure. What the API itself writes at each change says nothing about it and is left out.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// One field that changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Such as `spec.hard.pods` or `metadata.annotations[toolforge.org/uid]`.
    pub path: String,
    /// What it is; none where there is none.
    pub old: Option<Value>,
    /// What it would be; none where it would be gone.
    pub new: Option<Value>,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), Value::to_string)
        };
        write!(f, "{}: {} -> {}", self.path, shown(&self.old), shown(&self.new))
    }
}

/// Of the metadata, what is the API's own.
const BOOKKEEPING: [&str; 5] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
];

/// All differences; the status and the API's own fields aside.
pub(super) fn changes(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", Some(old), Some(new), &mut changes);
    changes
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for key in keys(old, new).filter(|key| !is_bookkeeping(path, key)) {
                compare(&inner(path, key), old.get(key), new.get(key), changes);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{index}]"), Some(old), Some(new), changes);
            }
        }
        (old, new) if old != new => changes.push(FieldChange {
            path: path.to_owned(),
            old: old.cloned(),
            new: new.cloned(),
        }),
        _ => {}
    }
}

fn keys<'a>(old: &'a Map<String, Value>, new: &'a Map<String, Value>) -> impl Iterator<Item = &'a String> {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    old.keys().chain(added)
}

fn is_bookkeeping(path: &str, key: &str) -> bool {
    (path.is_empty() && key == "status") || (path == "metadata" && BOOKKEEPING.contains(&key))
}

/// The path of a key; one with dots of its own is told apart.
fn inner(path: &str, key: &str) -> String {
    match path {
        _ if key.contains('.') => format!("{path}[{key}]"),
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_is_named_with_what_it_was_and_will_be() {
        let old = json!({
            "metadata": { "uid": "x", "resourceVersion": "1", "annotations": { "toolforge.org/uid": "1" } },
            "spec": { "hard": { "pods": "99", "count/jobs.batch": "3" }, "limits": [{ "max": 1, "min": 0 }] },
            "status": { "used": 1 },
        });
        let new = json!({
            "metadata": { "uid": "x", "resourceVersion": "2", "annotations": { "toolforge.org/uid": "2" } },
            "spec": { "hard": { "pods": "10", "services": "1" }, "limits": [{ "max": 2, "min": 0 }] },
        });
        let lines: Vec<String> = changes(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "metadata.annotations[toolforge.org/uid]: \"1\" -> \"2\"",
                "spec.hard[count/jobs.batch]: \"3\" -> nothing",
                "spec.hard.pods: \"99\" -> \"10\"",
                "spec.hard.services: nothing -> \"1\"",
                "spec.limits[0].max: 1 -> 2",
            ]
        );
        assert_eq!(changes(&old, &old), []);
    }
}
