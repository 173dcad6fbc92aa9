//! Strategic merge patch: a merge patch that knows the types' merge keys and obeys directives within the patch.
//!
//! Called by the API server; `kubectl apply`, `edit` and `set` send these. The rules are those of Kubernetes'
//! strategicpatch; where a patch says nothing about order, new items of a list come before those that it does not name.

mod directives;
mod list;

use serde_json::{Map, Value};

use crate::PatchError;
use crate::facts::{Node, Strategy, TypeRef};
use directives::{ELEMENT_ORDER, REMOVED_SCALARS, clean, clean_map, retain_keys};
use list::{Order, apply_order, merge_list, remove_scalars};

pub(crate) type Object = Map<String, Value>;

/// Applies a strategic merge patch.
///
/// # Errors
/// [`PatchError::Malformed`] when the patch or a directive in it is not of the expected form.
pub fn strategic_merge(schema: TypeRef, object: &Value, patch: &Value) -> Result<Value, PatchError> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        return Err(PatchError::Malformed(
            "a strategic merge patch must be a JSON object".to_owned(),
        ));
    };
    merge_map(schema.node(), object.clone(), patch.clone()).map(Value::Object)
}

/// Merges a patch into a map.
pub(crate) fn merge_map(node: Node, mut original: Object, mut patch: Object) -> Result<Object, PatchError> {
    match patch.remove(directives::PATCH) {
        None => {}
        Some(Value::String(directive)) if directive == "merge" => {}
        Some(Value::String(directive)) if directive == "replace" => return Ok(clean_map(patch)),
        Some(Value::String(directive)) if directive == "delete" => return Ok(Map::new()),
        Some(other) => {
            return Err(PatchError::Malformed(format!(
                "unknown patch type [{other}]; it is replace, delete or merge"
            )));
        }
    }
    retain_keys(&mut original, &mut patch)?;
    let orders: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(ELEMENT_ORDER))
        .cloned()
        .collect();
    for key in orders {
        let field = key[ELEMENT_ORDER.len()..].to_owned();
        let order = patch.remove(&key).unwrap_or_default();
        merge_in_order(node.child(&field), &field, order, &mut original, &mut patch)?;
    }
    for (key, value) in patch {
        merge_entry(node, &key, value, &mut original)?;
    }
    Ok(original)
}

fn merge_entry(node: Node, key: &str, value: Value, original: &mut Object) -> Result<(), PatchError> {
    if let Some(field) = key.strip_prefix(REMOVED_SCALARS) {
        if let Some(Value::Array(items)) = original.get_mut(field) {
            remove_scalars(items, &value)?;
        }
        return Ok(());
    }
    let child = node.child(key);
    let merged = match (original.remove(key), value) {
        (_, Value::Null) => return Ok(()),
        (Some(Value::Object(before)), Value::Object(patch)) if child.strategy() != Strategy::Replace => {
            Value::Object(merge_map(child, before, patch)?)
        }
        (Some(Value::Array(before)), Value::Array(patch)) => {
            Value::Array(merge_list(child, before, patch).map_err(|reason| within(key, reason))?)
        }
        (_, value) => clean(value),
    };
    original.insert(key.to_owned(), merged);
    Ok(())
}

/// `$setElementOrder/FIELD` says how the items that the patch's author knows are ordered.
fn merge_in_order(
    node: Node,
    field: &str,
    order: Value,
    original: &mut Object,
    patch: &mut Object,
) -> Result<(), PatchError> {
    let Value::Array(order) = order else {
        return Err(PatchError::Malformed(format!(
            "{ELEMENT_ORDER}{field} must be a list"
        )));
    };
    let by = Order::of(node);
    let patched = match patch.remove(field) {
        None => None,
        Some(Value::Array(items)) => Some(items),
        // The list itself is removed or replaced by something else: there is nothing to order.
        Some(other) => {
            patch.insert(field.to_owned(), other);
            return Ok(());
        }
    };
    if let Some(items) = &patched {
        by.check(field, items, &order)?;
    }
    let before = match original.get(field) {
        Some(Value::Array(items)) => Some(items.clone()),
        _ => None,
    };
    let merged = match (before.clone(), patched) {
        (None, None) => return Ok(()),
        (Some(before), None) => before,
        (None, Some(patch)) => directives::clean_list(patch),
        (Some(before), Some(patch)) => {
            merge_list(node, before, patch).map_err(|reason| within(field, reason))?
        }
    };
    let merged = apply_order(by, merged, &order, &before.unwrap_or_default());
    original.insert(field.to_owned(), Value::Array(merged));
    Ok(())
}

/// Says in which field something is wrong.
fn within(field: &str, error: PatchError) -> PatchError {
    match error {
        PatchError::Malformed(reason) => PatchError::Malformed(format!("{field}: {reason}")),
        other => other,
    }
}
