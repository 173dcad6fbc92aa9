//! The difference between what should be and what is, as a list of actions.
//!
//! Pure: `execute.rs` does the actions. An object that has everything that it should have needs nothing, also
//! when it has more, for example defaults and what others added.

use std::borrow::Borrow;

use serde_json::Value;

#[cfg(test)]
mod tests;

/// Which object, in a form that compares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The kind, such as `ResourceQuota`.
    pub kind: String,
    /// The namespace; empty for cluster-wide objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// The key of an object.
    pub fn of(object: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        Self {
            kind: text(&object["kind"]),
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Apply the object.
    Apply(Value),
    /// Delete the object and apply it anew: what differs in it cannot be changed (a binding's role).
    Replace(Value),
}

/// What has to be done, in the order of `desired`.
pub fn plan<V: Borrow<Value>>(
    desired: Vec<Value>,
    observed: impl Fn(&ObjectKey) -> Option<V>,
) -> Vec<Action> {
    desired
        .into_iter()
        .filter_map(
            |object| match observed(&ObjectKey::of(&object)).as_ref().map(Borrow::borrow) {
                None => Some(Action::Apply(object)),
                Some(found)
                    if object
                        .get("roleRef")
                        .is_some_and(|role| !contains(&found["roleRef"], role)) =>
                {
                    Some(Action::Replace(object))
                }
                Some(found) => (!contains(found, &object) || bounds_others(found, &object))
                    .then_some(Action::Apply(object)),
            },
        )
        .collect()
}

/// Whether a quota bounds what it should not bound any more: there a key too many is a difference.
fn bounds_others(found: &Value, wanted: &Value) -> bool {
    let keys = |object: &Value| object["spec"]["hard"].as_object().map(serde_json::Map::len);
    wanted["kind"] == "ResourceQuota" && keys(found) != keys(wanted)
}

/// Whether `found` has all of `wanted`: maps may have more keys, lists may not have more items.
fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| found.get(key).is_some_and(|found| contains(found, wanted))),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && found
                    .iter()
                    .zip(wanted)
                    .all(|(found, wanted)| contains(found, wanted))
        }
        (found, wanted) => found == wanted,
    }
}
