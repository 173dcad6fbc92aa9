//! The typed merge of server-side apply: what the applied configuration says goes over what is there.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::element::Element;
use crate::facts::{ListType, Node};
use crate::items::Items;

/// Merges an applied value into the live one. A null in the applied value unsets the field.
pub(crate) fn merge(node: Node, live: Option<&Value>, applied: &Value) -> Value {
    match (live, applied) {
        (_, Value::Object(_)) if node.is_atomic() => applied.clone(),
        (Some(Value::Object(live)), Value::Object(applied)) => merge_maps(node, live.clone(), applied),
        (_, Value::Object(applied)) => merge_maps(node, Map::new(), applied),
        (_, Value::Array(_)) if node.list_type() == ListType::Atomic => applied.clone(),
        (Some(Value::Array(live)), Value::Array(applied)) => Value::Array(merge_lists(node, live, applied)),
        (_, Value::Array(applied)) => Value::Array(merge_lists(node, &[], applied)),
        _ => applied.clone(),
    }
}

fn merge_maps(node: Node, mut merged: Map<String, Value>, applied: &Map<String, Value>) -> Value {
    for (name, value) in applied {
        if value.is_null() {
            merged.remove(name);
        } else {
            let value = merge(node.child(name), merged.get(name), value);
            merged.insert(name.clone(), value);
        }
    }
    Value::Object(merged)
}

/// Keeps the order of the applied items, and the place of those that only the live list has, as far as both can be had.
fn merge_lists(node: Node, live: &[Value], applied: &[Value]) -> Vec<Value> {
    let (live, applied) = (Items::of(node, live), Items::of(node, applied));
    let elements = applied.order.iter().filter_map(|(element, _)| element.as_ref());
    let mut shared: VecDeque<&Element> = elements.filter(|element| live.get(element).is_some()).collect();
    let mut left = live.order.iter().peekable();
    let mut right = applied.order.iter().peekable();
    let mut merged = Vec::with_capacity(live.order.len() + applied.order.len());
    loop {
        if let Some((element, item)) = left.peek() {
            let Some(element) = element.as_ref().filter(|element| applied.get(element).is_some()) else {
                merged.push((*item).clone());
                left.next();
                continue;
            };
            // The applied list says where a shared item goes: here only if it is the next one.
            if shared.front() != Some(&element) || right.peek().is_none() {
                left.next();
                continue;
            }
        }
        let Some((element, item)) = right.next() else {
            return merged;
        };
        let before = element.as_ref().and_then(|element| live.get(element));
        merged.push(merge(node.item(), before, item));
        if element.as_ref() == shared.front().copied() {
            shared.pop_front();
            if left.peek().is_some_and(|(left, _)| left == element) {
                left.next();
            }
        }
    }
}
