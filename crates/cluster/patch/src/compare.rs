//! What is different between two versions of an object, field by field.

use serde_json::Value;

use crate::element::Element;
use crate::facts::Node;
use crate::fieldset::{Entry, FieldSet};
use crate::items::{Items, is_granular};

/// The differences between an old and a new value.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Fields that are new or have another value.
    pub(crate) set: FieldSet,
    /// Fields that are gone.
    pub(crate) removed: FieldSet,
}

/// Compares two values of the same type. Null is as good as absent; the order of granular lists does not count.
pub(crate) fn compare(node: Node, old: &Value, new: &Value) -> Changes {
    let mut changes = Changes::default();
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in after {
                changes.step(
                    node,
                    Element::field(name),
                    node.child(name),
                    before.get(name),
                    Some(value),
                );
            }
            for (name, value) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
                changes.step(node, Element::field(name), node.child(name), Some(value), None);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            let (before, after) = (Items::of(node, before), Items::of(node, after));
            for (element, item) in after.distinct() {
                changes.step(
                    node,
                    element.clone(),
                    node.item(),
                    before.get(element),
                    Some(item),
                );
            }
            for (element, item) in before
                .distinct()
                .filter(|(element, _)| after.get(element).is_none())
            {
                changes.step(node, element.clone(), node.item(), Some(item), None);
            }
        }
        _ => {}
    }
    changes
}

impl Changes {
    fn step(&mut self, parent: Node, element: Element, node: Node, old: Option<&Value>, new: Option<&Value>) {
        let old = old.filter(|value| !value.is_null());
        let new = new.filter(|value| !value.is_null());
        match (old, new) {
            (None, None) => {}
            (None, Some(new)) => self
                .set
                .insert(element.clone(), whole(parent, &element, node, new)),
            (Some(old), None) => self.removed.insert(element.clone(), everything(node, old)),
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => self.step_both(element, node, old, new),
        }
    }

    fn step_both(&mut self, element: Element, node: Node, old: &Value, new: &Value) {
        let (parts_before, parts_after) = (is_granular(node, old), is_granular(node, new));
        if (parts_before || parts_after) && same_shape(old, new) {
            let below = compare(node, old, new);
            self.set.insert(
                element.clone(),
                Entry {
                    member: false,
                    below: below.set,
                },
            );
            self.removed.insert(
                element,
                Entry {
                    member: false,
                    below: below.removed,
                },
            );
        } else {
            self.set.insert(
                element.clone(),
                Entry {
                    member: true,
                    below: all_of(node, new),
                },
            );
            self.removed.insert(
                element,
                Entry {
                    member: false,
                    below: parts(node, old),
                },
            );
        }
    }
}

fn same_shape(old: &Value, new: &Value) -> bool {
    (old.is_object() && new.is_object()) || (old.is_array() && new.is_array())
}

/// Fields that Go has by value: they are there, empty, in every object, so writing into one does not make it.
///
/// Lists among them are those that are shown also when they are empty. Names suffice: no type has a field of such a name
/// that is not always there, but for those whose values are owned as a whole anyway.
const ALWAYS_THERE: &[&str] = &[
    "containers",
    "daemonEndpoints",
    "jobTemplate",
    "kubeletEndpoint",
    "loadBalancer",
    "metadata",
    "nodeInfo",
    "spec",
    "status",
    "strategy",
    "template",
    "updateStrategy",
];

fn is_always_there(parent: Node, element: &Element) -> bool {
    !parent.is_map()
        && element
            .field_name()
            .is_some_and(|name| ALWAYS_THERE.contains(&name))
}

/// A value that is new: itself and all in it, but for what is always there and only filled.
fn whole(parent: Node, element: &Element, node: Node, value: &Value) -> Entry {
    if is_always_there(parent, element) {
        let below = parts(node, value);
        return Entry {
            member: below.is_empty(),
            below,
        };
    }
    Entry {
        member: true,
        below: all_of(node, value),
    }
}

fn parts(node: Node, value: &Value) -> FieldSet {
    if is_granular(node, value) {
        compare(node, &empty_like(value), value).set
    } else {
        FieldSet::default()
    }
}

/// All that is in a value which was not there before, not even in part.
fn all_of(node: Node, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    if !is_granular(node, value) {
        return set;
    }
    let mut add = |element: Element, node: Node, value: &Value| {
        if !value.is_null() {
            let below = all_of(node, value);
            set.insert(element, Entry { member: true, below });
        }
    };
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                add(Element::field(name), node.child(name), value);
            }
        }
        Value::Array(items) => {
            for (element, item) in Items::of(node, items).distinct() {
                add(element.clone(), node.item(), item);
            }
        }
        _ => {}
    }
    set
}

/// A value that is gone: itself and all in it.
fn everything(node: Node, value: &Value) -> Entry {
    let below = if is_granular(node, value) {
        compare(node, value, &empty_like(value)).removed
    } else {
        FieldSet::default()
    };
    Entry { member: true, below }
}

fn empty_like(value: &Value) -> Value {
    match value {
        Value::Array(_) => Value::Array(Vec::new()),
        _ => Value::Object(serde_json::Map::new()),
    }
}
