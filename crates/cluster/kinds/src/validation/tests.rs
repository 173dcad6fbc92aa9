//! Objects with one mistake each, and what Kubernetes says of it.

mod autoscalers;
mod networks;
mod others;
mod pods;
mod rights;
mod workloads;

use serde_json::{Value, json};

use crate::{apply_defaults, by_kind, prepare_for_create, validate_create, validate_update};

/// Cases: what changes in a good object, its new value, and what is said first.
macro_rules! cases {
    ($($pointer:literal => $value:tt => $said:expr;)*) => {
        [$(($pointer, serde_json::json!($value), $said)),*]
    };
}
use cases;

/// What is wrong with a new object, as lines.
fn wrong(group: &str, kind: &str, object: &Value) -> String {
    let kind = by_kind(group, "v1", kind).unwrap();
    let mut object = object.clone();
    if object.get("metadata").is_none() {
        object["metadata"] = json!({"name": "a"});
    }
    if kind.namespaced && object["metadata"].get("namespace").is_none() {
        object["metadata"]["namespace"] = "n".into();
    }
    apply_defaults(kind, &mut object);
    prepare_for_create(kind, &mut object);
    let errors: Vec<String> = validate_create(kind, &object)
        .iter()
        .map(ToString::to_string)
        .collect();
    errors.join("\n")
}

/// The object with a change at a JSON pointer; null takes away.
fn with(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = object
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("no {pointer}"));
    match parent {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        Value::Object(map) if value.is_null() => drop(map.remove(key)),
        Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        _ => panic!("{pointer} is in no object"),
    }
    object
}

/// Each case: what changes in a good object, and what is said.
fn check(group: &str, kind: &str, good: &Value, cases: &[(&str, Value, &str)]) {
    assert_eq!(wrong(group, kind, good), "", "the good {kind}");
    for (pointer, value, expected) in cases {
        let said = wrong(group, kind, &with(good, pointer, value.clone()));
        assert!(
            said.starts_with(expected) && !expected.is_empty(),
            "{kind} {pointer} = {value}\n  said {said}\n  want {expected}"
        );
    }
}

/// What is wrong with one change of a good object, as lines.
fn changed(group: &str, kind: &str, good: &Value, pointer: &str, value: Value) -> String {
    let kind = by_kind(group, "v1", kind).unwrap();
    let mut old = good.clone();
    if kind.namespaced {
        old["metadata"]["namespace"] = "n".into();
    }
    apply_defaults(kind, &mut old);
    prepare_for_create(kind, &mut old);
    let new = with(&old, pointer, value);
    let errors: Vec<String> = validate_update(kind, &old, &new, None)
        .iter()
        .map(ToString::to_string)
        .collect();
    errors.join("\n")
}
