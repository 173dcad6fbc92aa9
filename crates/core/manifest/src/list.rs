//! Lists of objects, which `kubectl` takes apart: everything with `items` is one.

use crate::node::Node;

/// Adds the object, or the objects of the list and of lists in it.
///
/// Items without a kind have that of their list (`PodList` holds Pods), as `kubectl` has it.
pub(crate) fn take_apart(mut node: Node, objects: &mut Vec<Node>) {
    let Some(items) = node.take_list("items") else {
        objects.push(node);
        return;
    };
    let kind = node.text("kind").and_then(|kind| kind.strip_suffix("List"));
    let kind = kind.filter(|kind| !kind.is_empty()).map(str::to_owned);
    let version = node.text("apiVersion").map(str::to_owned);
    for mut item in items {
        if let (Some(kind), Some(version)) = (&kind, &version)
            && item.text("kind").is_none()
        {
            item.set_default("kind", kind);
            item.set_default("apiVersion", version);
        }
        take_apart(item, objects);
    }
}
