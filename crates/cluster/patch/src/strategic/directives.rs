//! Directives: keys within a strategic merge patch that say what to do instead of what to be.

use std::collections::HashSet;

use serde_json::Value;

use super::Object;
use crate::PatchError;

/// What to do with the map that it stands in: `replace`, `delete` or `merge`.
pub(super) const PATCH: &str = "$patch";

/// The keys that a map may keep.
const RETAIN_KEYS: &str = "$retainKeys";

/// Before the name of a list: the order of its items.
pub(super) const ELEMENT_ORDER: &str = "$setElementOrder/";

/// Before the name of a list of scalars: the items that go.
pub(super) const REMOVED_SCALARS: &str = "$deleteFromPrimitiveList/";

/// Obeys `$retainKeys`: what it does not name goes.
pub(super) fn retain_keys(original: &mut Object, patch: &mut Object) -> Result<(), PatchError> {
    let Some(retained) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    let bad = || {
        PatchError::Malformed(format!(
            "{RETAIN_KEYS} must be a list of all keys that the patch sets"
        ))
    };
    let names = retained.as_array().ok_or_else(bad)?;
    let names: HashSet<&str> = names
        .iter()
        .map(Value::as_str)
        .collect::<Option<_>>()
        .ok_or_else(bad)?;
    let is_directive = |key: &str| key.starts_with(ELEMENT_ORDER) || key.starts_with(REMOVED_SCALARS);
    if patch
        .iter()
        .any(|(key, value)| !value.is_null() && !is_directive(key) && !names.contains(key.as_str()))
    {
        return Err(bad());
    }
    original.retain(|key, _| names.contains(key.as_str()));
    Ok(())
}

/// What a patch leaves where nothing was before: no directives and no nulls.
pub(super) fn clean(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(clean_map(map)),
        Value::Array(items) => Value::Array(clean_list(items)),
        scalar => scalar,
    }
}

pub(super) fn clean_map(map: Object) -> Object {
    if map.get(PATCH).and_then(Value::as_str) == Some("delete") {
        return Object::new();
    }
    map.into_iter()
        .filter(|(key, value)| !is_directive(key) && !value.is_null())
        .map(|(key, value)| (key, clean(value)))
        .collect()
}

/// Items with a directive to delete or replace are not items.
pub(super) fn clean_list(items: Vec<Value>) -> Vec<Value> {
    items
        .into_iter()
        .filter(|item| !matches!(directive(item), Some("delete" | "replace")))
        .map(clean)
        .collect()
}

/// The directive of an item.
pub(super) fn directive(item: &Value) -> Option<&str> {
    item.get(PATCH).and_then(Value::as_str)
}

fn is_directive(key: &str) -> bool {
    key == PATCH || key == RETAIN_KEYS || key.starts_with(ELEMENT_ORDER) || key.starts_with(REMOVED_SCALARS)
}
