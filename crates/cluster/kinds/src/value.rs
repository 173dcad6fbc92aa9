//! Reading and writing inside `Value` objects without ceremony. For this crate's modules only.

use serde_json::{Map, Value};

/// Short reads; a missing or mistyped field reads as empty.
pub(crate) trait Read {
    /// The value at a path of object keys.
    fn at(&self, path: &[&str]) -> Option<&Value>;
    /// The text of a field; empty where there is none.
    fn text(&self, key: &str) -> &str;
    /// The whole number of a field.
    fn int(&self, key: &str) -> Option<i64>;
    /// The flag of a field; false where there is none.
    fn flag(&self, key: &str) -> bool;
    /// The list of a field; empty where there is none.
    fn list(&self, key: &str) -> &[Value];
    /// The object of a field.
    fn map(&self, key: &str) -> Option<&Map<String, Value>>;
    /// Whether the field is there and not null.
    fn has(&self, key: &str) -> bool;
}

impl Read for Value {
    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn int(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_i64)
    }

    fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn list(&self, key: &str) -> &[Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn map(&self, key: &str) -> Option<&Map<String, Value>> {
        self.get(key).and_then(Value::as_object)
    }

    fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !value.is_null())
    }
}

/// The text at a path; empty where there is none.
pub(crate) fn text_at<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    object.at(path).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number at a path.
pub(crate) fn int_at(object: &Value, path: &[&str]) -> Option<i64> {
    object.at(path).and_then(Value::as_i64)
}

/// The list at a path; empty where there is none.
pub(crate) fn list_at<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    object
        .at(path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Sets a field where it is missing or null.
pub(crate) fn default(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(map) = object.as_object_mut()
        && map.get(key).is_none_or(Value::is_null)
    {
        map.insert(key.to_owned(), value.into());
    }
}

/// The same for text, where empty counts as missing.
pub(crate) fn default_text(object: &mut Value, key: &str, value: &str) {
    if let Some(map) = object.as_object_mut()
        && map
            .get(key)
            .is_none_or(|old| old.is_null() || old.as_str() == Some(""))
    {
        map.insert(key.to_owned(), value.into());
    }
}

/// The object in a field, if it is there.
pub(crate) fn child<'a>(object: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    object.get_mut(key).filter(|value| value.is_object())
}

/// The items of a list in a field; none where there is no list.
pub(crate) fn items<'a>(object: &'a mut Value, key: &str) -> std::slice::IterMut<'a, Value> {
    match object.get_mut(key).and_then(Value::as_array_mut) {
        Some(list) => list.iter_mut(),
        None => [].iter_mut(),
    }
}

/// The object in a field, made where it is missing.
pub(crate) fn ensure<'a>(object: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    default(object, key, Map::new());
    child(object, key)
}

/// Takes a field away.
pub(crate) fn remove(object: &mut Value, key: &str) -> Option<Value> {
    object.as_object_mut().and_then(|map| map.remove(key))
}

/// Gives `new` the field of `old`: its value, or its absence.
pub(crate) fn keep(old: &Value, new: &mut Value, key: &str) {
    let Some(map) = new.as_object_mut() else { return };
    match old.get(key) {
        Some(value) => {
            map.insert(key.to_owned(), value.clone());
        }
        None => {
            map.remove(key);
        }
    }
}

/// Equality as a Go decoder sees it: a field that is missing, null or empty is the same, at any depth.
pub(crate) fn equivalent(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (
        a.filter(|value| !is_empty(value)),
        b.filter(|value| !is_empty(value)),
    ) {
        (None, None) => true,
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            a.iter().all(|(key, value)| equivalent(Some(value), b.get(key)))
                && b.iter()
                    .all(|(key, value)| a.contains_key(key) || is_empty(value))
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equivalent(Some(a), Some(b)))
        }
        (a, b) => a == b,
    }
}

/// An object whose fields are all empty is empty, too.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_empty_is_as_good_as_missing() {
        let cases = [
            (json!({"a": 1, "b": {"c": []}}), json!({"a": 1}), true),
            (
                json!({"a": [{"b": ""}, {"c": 1}]}),
                json!({"a": [{}, {"c": 1, "d": null}]}),
                true,
            ),
            (json!({"a": 0}), json!({}), false),
            (json!({"a": false}), json!({}), false),
            (json!({"a": [{}]}), json!({"a": []}), false),
            (json!({"a": {"b": 1}}), json!({"a": {"b": 2}}), false),
            (json!({}), json!({"a": "x"}), false),
        ];
        for (a, b, same) in cases {
            assert_eq!(equivalent(Some(&a), Some(&b)), same, "{a} {b}");
            assert_eq!(equivalent(Some(&b), Some(&a)), same, "{b} {a}");
        }
        assert!(equivalent(None, Some(&json!({}))));
    }
}
