//! Server-side apply: an applier says what it wants of an object, and owns that.
//!
//! Called by the API server for patches of type apply. Creating the object, preconditions, defaults and validation are
//! the caller's, before and after. The caller also drops from the applied configuration what this door does not change
//! (such as `status` where it is a subresource), so that nobody comes to own it by mistake.

use serde_json::{Value, json};

use crate::compare::compare;
use crate::conflict::{Conflict, describe};
use crate::facts::{ListType, Node, TypeRef};
use crate::fields::{fields_of, strip};
use crate::fieldset::FieldSet;
use crate::items::{Items, element_of};
use crate::managers::{self, Manager, Operation};
use crate::merge::merge;
use crate::prune::prune;

/// The manager that owns what an object had before the first manager was known.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Why a configuration could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others own fields that the configuration wants otherwise; a conflict (409), unless forced.
    #[error("{}", describe(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration names managers of fields; a bad request (400).
    #[error("metadata.managedFields must be nil")]
    NamesManagers,
    /// A list of the configuration is not what its type demands; a bad request (400).
    #[error("failed to create typed patch object: {0}")]
    Malformed(String),
}

/// Who applies, and how.
#[derive(Debug, Clone, Copy)]
pub struct Applier<'a> {
    /// The name of the manager (`fieldManager`).
    pub manager: &'a str,
    /// The subresource through which is applied.
    pub subresource: Option<&'a str>,
    /// Takes over fields from others instead of reporting conflicts.
    pub force: bool,
    /// The time now, as RFC 3339 with seconds.
    pub now: &'a str,
}

/// Applies a configuration to an object itself; see [`apply_as`].
///
/// # Errors
/// See [`ApplyError`].
pub fn apply(
    schema: TypeRef,
    live: Option<&Value>,
    applied: &Value,
    manager: &str,
    force: bool,
    now: &str,
) -> Result<Value, ApplyError> {
    apply_as(
        schema,
        live,
        applied,
        Applier {
            manager,
            subresource: None,
            force,
            now,
        },
    )
}

/// Applies a configuration: gives the object as it shall be, with its managed fields.
///
/// What the applier owned before, does not name any more, and nobody else owns, is removed. Applying the same again
/// gives the live object itself.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply_as(
    schema: TypeRef,
    live: Option<&Value>,
    applied: &Value,
    by: Applier<'_>,
) -> Result<Value, ApplyError> {
    let node = schema.node();
    if managers::are_named(applied) {
        return Err(ApplyError::NamesManagers);
    }
    check_lists(node, applied, "")?;
    let mut managers = live.map(|live| managers_of(node, live)).unwrap_or_default();
    let mut before = live.cloned().unwrap_or_else(|| json!({}));
    managers::clear(&mut before);

    let mut own = Manager::new(by.manager, Operation::Apply, applied, by.subresource);
    own.fields = fields_of(node, applied);
    strip(&mut own.fields);
    let last = managers
        .iter()
        .position(|manager| manager.is(&own))
        .map(|index| managers.swap_remove(index));
    own.time = last.as_ref().and_then(|last| last.time.clone());
    let last = last.map(|last| last.fields).unwrap_or_default();

    let mut after = merge(node, Some(&before), applied);
    managers::clear(&mut after);
    prune(node, &mut after, &last, &owned_by_anybody(&managers, &own));

    take_over(node, &before, &after, &own.fields, &mut managers, by.force)?;
    if before != after || own.fields != last {
        own.time = Some(by.now.to_owned());
    }
    managers.push(own);
    managers::write(&mut after, managers);
    Ok(after)
}

fn managers_of(node: Node, live: &Value) -> Vec<Manager> {
    let managers = managers::read(live);
    if !managers.is_empty() {
        return managers;
    }
    let mut first = Manager::new(BEFORE_FIRST_APPLY, Operation::Update, live, None);
    first.fields = compare(node, &json!({}), live).set;
    strip(&mut first.fields);
    vec![first]
}

fn owned_by_anybody(managers: &[Manager], own: &Manager) -> FieldSet {
    let mut all = own.fields.clone();
    for manager in managers {
        all.unite(manager.fields.clone());
    }
    all
}

/// Takes changed and removed fields from the other managers, or names the conflicts.
fn take_over(
    node: Node,
    before: &Value,
    after: &Value,
    wanted: &FieldSet,
    managers: &mut [Manager],
    force: bool,
) -> Result<(), ApplyError> {
    let mut changes = compare(node, before, after);
    strip(&mut changes.set);
    strip(&mut changes.removed);
    // A null in the configuration unsets a field that may be somebody else's.
    changes.set.unite(changes.removed.intersection(wanted));
    let mut conflicts = Vec::new();
    for manager in managers {
        let disputed = manager.fields.intersection(&changes.set);
        conflicts.extend(disputed.paths().into_iter().map(|field| Conflict {
            manager: manager.describe(),
            field,
        }));
        manager.fields = manager.fields.difference(&disputed).difference(&changes.removed);
    }
    if force || conflicts.is_empty() {
        Ok(())
    } else {
        Err(ApplyError::Conflicts(conflicts))
    }
}

/// Each item of a granular list must have its keys, and no two the same.
fn check_lists(node: Node, value: &Value, path: &str) -> Result<(), ApplyError> {
    match value {
        Value::Object(entries) if !node.is_atomic() => entries
            .iter()
            .try_for_each(|(name, value)| check_lists(node.child(name), value, &format!("{path}.{name}"))),
        Value::Array(items) if node.list_type() != ListType::Atomic => {
            let distinct = Items::of(node, items);
            for (index, item) in items.iter().enumerate() {
                let Some(element) = element_of(node, item) else {
                    let keys: Vec<_> = node
                        .list_keys()
                        .iter()
                        .map(|key| format!("{:?}", key.name))
                        .collect();
                    return Err(ApplyError::Malformed(format!(
                        "{path}: element {index}: associative list with keys has an element that omits key field {} \
                         (and doesn't have default value)",
                        keys.join(", ")
                    )));
                };
                if !distinct
                    .get(&element)
                    .is_some_and(|first| std::ptr::eq(first, item))
                {
                    return Err(ApplyError::Malformed(format!(
                        "{path}: duplicate entries for key {element}"
                    )));
                }
                check_lists(node.item(), item, &format!("{path}{element}"))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
