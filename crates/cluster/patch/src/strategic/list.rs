//! Lists in strategic merge patches: by merge key, united when of scalars, replaced otherwise.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::directives::{PATCH, clean, clean_list, directive};
use super::merge_map;
use crate::PatchError;
use crate::facts::{Node, Strategy};

/// Merges the items of a patch into a list, as the strategy of its field says.
pub(super) fn merge_list(
    node: Node,
    original: Vec<Value>,
    patch: Vec<Value>,
) -> Result<Vec<Value>, PatchError> {
    let before = original.clone();
    let by = Order::of(node);
    let (merged, order) = match node.strategy() {
        Strategy::Default | Strategy::Replace => return Ok(clean_list(patch)),
        Strategy::MergeScalars => (unite(original, patch.clone())?, patch),
        Strategy::MergeBy(key) => merge_by_key(node.item(), key, original, patch)?,
    };
    Ok(apply_order(by, merged, &order, &before))
}

/// Removes the named items from a list of scalars.
pub(super) fn remove_scalars(items: &mut Vec<Value>, removed: &Value) -> Result<(), PatchError> {
    let Value::Array(removed) = removed else {
        return Err(PatchError::Malformed(
            "a list of items to delete must be a list".to_owned(),
        ));
    };
    let removed: HashSet<String> = removed.iter().map(Value::to_string).collect();
    items.retain(|item| !removed.contains(&item.to_string()));
    Ok(())
}

fn unite(original: Vec<Value>, patch: Vec<Value>) -> Result<Vec<Value>, PatchError> {
    if original.iter().chain(&patch).any(Value::is_object) {
        return Err(PatchError::Malformed(
            "cannot merge lists of objects without a merge key".to_owned(),
        ));
    }
    let mut seen = HashSet::new();
    Ok(original
        .into_iter()
        .chain(patch)
        .filter(|item| seen.insert(item.to_string()))
        .collect())
}

/// Gives the merged items, and those of the patch that say something about order.
fn merge_by_key(
    node: Node,
    key: &str,
    mut original: Vec<Value>,
    patch: Vec<Value>,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut deleted = HashSet::new();
    let mut items = Vec::new();
    for mut item in patch {
        match directive(&item) {
            Some("replace") => original.clear(),
            Some("delete") => {
                deleted.insert(merge_value(key, &item)?);
            }
            Some("merge") | None => {
                let map = item.as_object_mut().ok_or_else(|| not_a_map(key))?;
                map.remove(PATCH);
                items.push(item);
            }
            Some(other) => {
                return Err(PatchError::Malformed(format!(
                    "unknown patch type [{other}] in a list"
                )));
            }
        }
    }
    original.retain(|item| {
        item.get(key)
            .is_none_or(|value| !deleted.contains(&value.to_string()))
    });
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, item) in original.iter().enumerate() {
        if let Some(value) = item.get(key) {
            places.entry(value.to_string()).or_insert(place);
        }
    }
    for item in &items {
        let value = merge_value(key, item)?;
        if let Some(known) = places
            .get(&value)
            .copied()
            .and_then(|place| original.get_mut(place))
        {
            if let (Value::Object(before), Value::Object(patch)) = (known.take(), item) {
                *known = Value::Object(merge_map(node, before, patch.clone())?);
            }
        } else {
            places.insert(value, original.len());
            original.push(clean(item.clone()));
        }
    }
    Ok((original, items))
}

fn merge_value(key: &str, item: &Value) -> Result<String, PatchError> {
    item.get(key).map(Value::to_string).ok_or_else(|| {
        PatchError::Malformed(format!("map: {item} does not contain declared merge key: {key}"))
    })
}

fn not_a_map(key: &str) -> PatchError {
    PatchError::Malformed(format!(
        "an item of a list that is merged by {key} must be an object"
    ))
}

/// What makes two items of a list the same when it is put in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    key: Option<&'static str>,
}

impl Order {
    pub(super) fn of(node: Node) -> Self {
        match node.strategy() {
            Strategy::MergeBy(key) => Self { key: Some(key) },
            _ => Self { key: None },
        }
    }

    fn identity(self, item: &Value) -> Option<String> {
        match self.key {
            Some(key) => item.get(key).map(Value::to_string),
            None => Some(item.to_string()),
        }
    }

    /// Where each item stands in a list.
    fn places(self, items: &[Value]) -> HashMap<String, usize> {
        let mut places = HashMap::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            if let Some(identity) = self.identity(item) {
                places.entry(identity).or_insert(place);
            }
        }
        places
    }

    fn place(self, item: &Value, places: &HashMap<String, usize>) -> Option<usize> {
        self.identity(item)
            .and_then(|identity| places.get(&identity).copied())
    }

    /// The items of a patch must stand in the order that the patch itself demands.
    pub(super) fn check(self, field: &str, patch: &[Value], order: &[Value]) -> Result<(), PatchError> {
        let places = self.places(order);
        let mut last = 0;
        for item in patch.iter().filter(|item| directive(item).is_none()) {
            let place = self
                .place(item, &places)
                .filter(|place| *place >= last)
                .ok_or_else(|| {
                    PatchError::Malformed(format!(
                        "the order in the patch list {field} doesn't match $setElementOrder list"
                    ))
                })?;
            last = place;
        }
        Ok(())
    }
}

/// Puts items in order: those that `wanted` names as it says, the others as they were in `before`, and between both as
/// they were where that is known; else the wanted ones come first.
pub(super) fn apply_order(by: Order, items: Vec<Value>, wanted: &[Value], before: &[Value]) -> Vec<Value> {
    let (wanted, before) = (by.places(wanted), by.places(before));
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = items
        .into_iter()
        .partition(|item| by.place(item, &wanted).is_some());
    named.sort_by_key(|item| by.place(item, &wanted));
    others.sort_by_key(|item| by.place(item, &before).unwrap_or(usize::MAX));
    let mut ordered = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(one), Some(other)) = (named.peek(), others.peek()) {
        let stood_before = match (by.place(other, &before), by.place(one, &before)) {
            (Some(other), Some(one)) => other < one,
            _ => false,
        };
        ordered.extend(if stood_before { others.next() } else { named.next() });
    }
    ordered.extend(named);
    ordered.extend(others);
    ordered
}
