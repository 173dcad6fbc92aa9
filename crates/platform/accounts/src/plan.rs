//! The difference between what should be and what is, as a list of actions.
//!
//! Pure: `execute.rs` does the actions. An object that has everything that it should have needs nothing, also
//! when it has more, for example defaults and what others added.

use std::borrow::Borrow;

use serde_json::{Map, Value, json};

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
    /// Apply the quota, and take out of `spec.hard` what it should not bound, whoever has put that in: applying leaves alone
    /// what others set.
    Bound {
        /// As it should be.
        quota: Value,
        /// Keys of `spec.hard`.
        not: Vec<String>,
    },
}

impl Action {
    /// The object as it should be.
    pub fn object(&self) -> &Value {
        match self {
            Self::Apply(object) | Self::Replace(object) | Self::Bound { quota: object, .. } => object,
        }
    }
}

/// What has to be done, in the order of `desired`.
pub fn plan<V: Borrow<Value>>(
    desired: Vec<Value>,
    observed: impl Fn(&ObjectKey) -> Option<V>,
) -> Vec<Action> {
    let difference = |object: Value| match observed(&ObjectKey::of(&object)) {
        None => Some(Action::Apply(object)),
        Some(found) => change(found.borrow(), object),
    };
    desired.into_iter().filter_map(difference).collect()
}

fn change(found: &Value, object: Value) -> Option<Action> {
    if let Some(role) = object.get("roleRef")
        && !contains(&found["roleRef"], role)
    {
        return Some(Action::Replace(object));
    }
    let not = bounded_too(found, &object);
    if !not.is_empty() {
        return Some(Action::Bound { quota: object, not });
    }
    (!contains(found, &object)).then_some(Action::Apply(object))
}

/// The kind of the quota, which may not bound more than it should.
pub(crate) const QUOTA: &str = "ResourceQuota";

/// What a quota bounds and should not bound.
pub(crate) fn bounded_too(found: &Value, wanted: &Value) -> Vec<String> {
    let hard = |object: &Value| object["spec"]["hard"].as_object().cloned().unwrap_or_default();
    if wanted["kind"] != QUOTA {
        return Vec::new();
    }
    let wanted = hard(wanted);
    hard(found)
        .into_iter()
        .map(|(key, _)| key)
        .filter(|key| !wanted.contains_key(key))
        .collect()
}

/// A merge patch that takes keys out of a quota.
pub(crate) fn unbound(keys: &[String]) -> Value {
    let hard: Map<String, Value> = keys.iter().map(|key| (key.clone(), Value::Null)).collect();
    json!({ "spec": { "hard": hard } })
}

/// Whether `found` has all of `wanted`: maps may have more keys, lists may not have more items. `contained.rs` answers the
/// same of a text.
pub(crate) fn contains(found: &Value, wanted: &Value) -> bool {
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
