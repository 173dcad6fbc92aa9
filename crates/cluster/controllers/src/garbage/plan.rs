//! What garbage collection does with one object. Pure; `controller.rs` finds the facts and carries it out.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::graph::{Graph, Thing};

/// The finalizer of an object that waits for what it owns.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an object that lets go of what it owns.
pub(crate) const ORPHAN: &str = "orphan";

/// What is known of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerState {
    /// It is there.
    There,
    /// It is being deleted, and waits for its dependents.
    Waiting,
    /// It is gone, or is another object by now.
    Gone,
}

/// What to do with an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing.
    Leave,
    /// Delete it; its own dependents follow afterwards.
    Delete,
    /// Delete it, after its own dependents.
    DeleteInForeground,
    /// Keep it, with these owners only.
    KeepOwners(Vec<OwnerReference>),
    /// It waits for these dependents to go; they have to be looked at.
    AwaitDependents(Vec<String>),
    /// It has nothing to wait for any more: take this finalizer away.
    Release(&'static str),
    /// Take it out of the owners of these dependents, then take the orphan finalizer away.
    Orphan(Vec<String>),
}

/// Decides over the object `uid`, with `owner_state` to ask for its owners.
pub(crate) fn verdict(
    graph: &Graph,
    uid: &str,
    owner_state: impl Fn(&OwnerReference) -> OwnerState,
) -> Verdict {
    let Some(thing) = graph.get(uid) else {
        return Verdict::Leave;
    };
    if thing.dying {
        return verdict_on_dying(graph, uid, thing);
    }
    if thing.owners.is_empty() {
        return Verdict::Leave;
    }
    let states: Vec<OwnerState> = thing.owners.iter().map(owner_state).collect();
    if states.iter().all(|state| *state == OwnerState::There) {
        return Verdict::Leave;
    }
    if states.contains(&OwnerState::There) {
        let there = thing
            .owners
            .iter()
            .zip(&states)
            .filter(|(_, state)| **state == OwnerState::There);
        return Verdict::KeepOwners(there.map(|(owner, _)| owner.clone()).collect());
    }
    let awaited = states.contains(&OwnerState::Waiting);
    if awaited && !graph.dependents(uid).is_empty() {
        return Verdict::DeleteInForeground;
    }
    Verdict::Delete
}

fn verdict_on_dying(graph: &Graph, uid: &str, thing: &Thing) -> Verdict {
    if thing.has_finalizer(ORPHAN) {
        return Verdict::Orphan(graph.dependents(uid));
    }
    if !thing.has_finalizer(FOREGROUND) {
        return Verdict::Leave;
    }
    let dependents = graph.dependents(uid);
    let blocks = |dependent: &String| {
        let owners = graph
            .get(dependent)
            .map(|thing| thing.owners.as_slice())
            .unwrap_or_default();
        owners
            .iter()
            .any(|owner| owner.uid == uid && owner.block_owner_deletion == Some(true))
    };
    if dependents.iter().any(blocks) {
        Verdict::AwaitDependents(dependents)
    } else {
        Verdict::Release(FOREGROUND)
    }
}

#[cfg(test)]
mod tests;
