//! Managed fields of plain writes: who created or updated an object owns what it changed.
//!
//! Called by the API server on every create, update and patch that is not apply. The caller has already put back what
//! this door does not change.

use serde_json::{Value, json};

use crate::compare::compare;
use crate::facts::TypeRef;
use crate::fields::strip;
use crate::managers::{self, Manager, Operation};

/// Notes in `new` that `manager` has made of `old` what `new` is; `now` is RFC 3339 with seconds.
///
/// Fields that changed go over to the manager, fields that are gone are nobody's. Writers may also edit
/// `metadata.managedFields` itself; an empty entry there forgets all managers.
pub fn track_update(
    schema: TypeRef,
    old: Option<&Value>,
    new: &mut Value,
    manager: &str,
    subresource: Option<&str>,
    now: &str,
) {
    let mut managers = known_managers(old, new, subresource);
    managers::clear(new);
    let nothing = json!({});
    let mut changes = compare(schema.node(), old.unwrap_or(&nothing), new);
    strip(&mut changes.set);
    strip(&mut changes.removed);
    for manager in &mut managers {
        manager.fields = manager
            .fields
            .difference(&changes.set)
            .difference(&changes.removed);
    }
    if !changes.set.is_empty() {
        let mut own = Manager::new(manager, Operation::Update, new, subresource);
        if let Some(index) = managers.iter().position(|manager| manager.is(&own)) {
            own = managers.swap_remove(index);
        }
        own.fields.unite(changes.set);
        own.time = Some(now.to_owned());
        managers.push(own);
    }
    managers::write(new, managers);
}

/// What the writer says of the managers counts, except through a subresource, or when it says nothing legible.
fn known_managers(old: Option<&Value>, new: &Value, subresource: Option<&str>) -> Vec<Manager> {
    let before = || old.map(managers::read).unwrap_or_default();
    if subresource.is_some() {
        return before();
    }
    if managers::is_reset(new) {
        return Vec::new();
    }
    let named = managers::read(new);
    if named.is_empty() { before() } else { named }
}
