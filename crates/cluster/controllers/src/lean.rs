//! What the caches leave out of an object that is kept as the API has it. Called by `cache.rs` for every object that comes
//! in; Pods have a type of their own for it (`pod.rs`).
//!
//! What is left out must be nothing that a controller reads, and nothing that a write through the main resource or the
//! status would take away: metadata stays whole but for the managed fields.

use kube::Resource;

/// Takes out what no controller reads of any object: managed fields, which are as large as the rest. An update without
/// them keeps them.
pub(crate) fn thin<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    fit(&mut meta.owner_references);
    fit(&mut meta.finalizers);
}

/// Gives back what a list has reserved while it was read: up to four times the one element that it usually has.
fn fit<T>(list: &mut Option<Vec<T>>) {
    if let Some(list) = list {
        list.shrink_to_fit();
    }
}
