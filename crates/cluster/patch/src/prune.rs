//! Takes out of an object what its applier set before, does not set any more, and nobody else owns.

use serde_json::Value;

use crate::element::Element;
use crate::facts::{ListType, Node};
use crate::fieldset::{Entry, FieldSet};
use crate::items::element_of;

/// Prunes a merged value: `last` is what the applier owned, `keep` what anybody owns now.
///
/// A field or item that is not kept goes with everything in it, also with defaults that nobody owns.
pub(crate) fn prune(node: Node, value: &mut Value, last: &FieldSet, keep: &FieldSet) {
    match value {
        Value::Object(entries) if !node.is_atomic() => entries.retain(|name, value| {
            let element = Element::field(name);
            match (last.get(&element), keep.get(&element)) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(last), Some(keep)) => {
                    prune(node.child(name), value, &last.below, &keep.below);
                    true
                }
            }
        }),
        Value::Array(items) if node.list_type() != ListType::Atomic => items.retain_mut(|item| {
            let Some(element) = element_of(node, item) else {
                return true;
            };
            let Some(last) = last.get(&element) else {
                return true;
            };
            keep_item(node.item(), item, last, keep.get(&element))
        }),
        _ => {}
    }
}

/// An item stays when somebody owns the item itself: a field that somebody changed in it does not make it theirs.
fn keep_item(node: Node, item: &mut Value, last: &Entry, keep: Option<&Entry>) -> bool {
    if last.member && !keep.is_some_and(|keep| keep.member) {
        return false;
    }
    let nothing = FieldSet::default();
    prune(node, item, &last.below, keep.map_or(&nothing, |keep| &keep.below));
    true
}
