//! The fields that an object sets: what its applier owns.

use serde_json::Value;

use crate::element::Element;
use crate::facts::{ListType, Node};
use crate::fieldset::{Entry, FieldSet};
use crate::items::{Items, is_granular};

/// Fields that nobody owns: they name the object or are the server's own.
const UNOWNED: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// Takes out what nobody owns.
pub(crate) fn strip(set: &mut FieldSet) {
    for path in UNOWNED {
        set.remove_with_all_below(path);
    }
    set.remove_member("metadata");
}

/// The fields that a value sets: its leaves, its list items, and the entries of its maps.
pub(crate) fn fields_of(node: Node, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    match value {
        Value::Object(entries) if is_granular(node, value) => {
            for (name, value) in entries {
                let child = node.child(name);
                let below = if is_granular(child, value) {
                    fields_of(child, value)
                } else {
                    FieldSet::default()
                };
                let member = below.is_empty() || node.is_map();
                set.insert(Element::field(name), Entry { member, below });
            }
        }
        Value::Array(items) if is_granular(node, value) => {
            for (element, item) in Items::of(node, items).distinct() {
                let below = if node.list_type() == ListType::Map && is_granular(node.item(), item) {
                    fields_of(node.item(), item)
                } else {
                    FieldSet::default()
                };
                set.insert(element.clone(), Entry { member: true, below });
            }
        }
        _ => {}
    }
    set
}
