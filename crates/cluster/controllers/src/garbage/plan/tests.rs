use std::sync::Arc;

use super::super::graph::GroupKind;
use super::*;
use crate::key::Key;

fn owned_by(uids: &[&str]) -> Vec<OwnerReference> {
    let reference = |uid: &&str| OwnerReference {
        kind: "Thing".into(),
        name: "x".into(),
        uid: (*uid).to_owned(),
        block_owner_deletion: Some(true),
        ..OwnerReference::default()
    };
    uids.iter().map(reference).collect()
}

fn thing(owners: &[&str], finalizers: &[&str], dying: bool) -> Thing {
    Thing {
        kind: Arc::new(GroupKind {
            group: String::new(),
            kind: "Thing".into(),
        }),
        key: Key::new("ns", "x"),
        owners: owned_by(owners),
        finalizers: finalizers.iter().map(ToString::to_string).collect(),
        dying,
    }
}

fn graph(things: &[(&str, Thing)]) -> Graph {
    let mut graph = Graph::default();
    for (uid, thing) in things {
        graph.put((*uid).to_owned(), thing.clone());
    }
    graph
}

/// An owner's state out of the graph alone.
fn state(graph: &Graph, owner: &OwnerReference) -> OwnerState {
    match graph.get(&owner.uid) {
        None => OwnerState::Gone,
        Some(thing) if thing.dying && thing.has_finalizer(FOREGROUND) => OwnerState::Waiting,
        Some(_) => OwnerState::There,
    }
}

fn judge(graph: &Graph, uid: &str) -> Verdict {
    verdict(graph, uid, |owner| state(graph, owner))
}

#[test]
fn an_object_goes_when_all_its_owners_are_gone() {
    let graph = graph(&[("pod", thing(&["set"], &[], false))]);
    assert_eq!(judge(&graph, "pod"), Verdict::Delete);
}

#[test]
fn an_object_stays_while_an_owner_is_there_and_forgets_the_others() {
    let graph = graph(&[
        ("set", thing(&[], &[], false)),
        ("pod", thing(&["set", "gone"], &[], false)),
    ]);
    assert_eq!(judge(&graph, "pod"), Verdict::KeepOwners(owned_by(&["set"])));
    assert_eq!(judge(&graph, "set"), Verdict::Leave);
}

#[test]
fn foreground_deletion_goes_from_the_leaves_up() {
    let mut graph = graph(&[
        ("deployment", thing(&[], &[FOREGROUND], true)),
        ("set", thing(&["deployment"], &[], false)),
        ("pod", thing(&["set"], &[], false)),
    ]);
    assert_eq!(
        judge(&graph, "deployment"),
        Verdict::AwaitDependents(vec!["set".into()])
    );
    assert_eq!(judge(&graph, "set"), Verdict::DeleteInForeground);
    let look_at = graph.put("set".into(), thing(&["deployment"], &[FOREGROUND], true));
    assert!(look_at.contains(&"set".to_owned()));
    assert_eq!(judge(&graph, "set"), Verdict::AwaitDependents(vec!["pod".into()]));
    assert_eq!(judge(&graph, "pod"), Verdict::Delete);
    assert!(graph.remove("pod").contains(&"set".to_owned()));
    assert_eq!(judge(&graph, "set"), Verdict::Release(FOREGROUND));
    assert!(graph.remove("set").contains(&"deployment".to_owned()));
    assert_eq!(judge(&graph, "deployment"), Verdict::Release(FOREGROUND));
}

#[test]
fn the_orphan_finalizer_lets_dependents_go_first() {
    let graph = graph(&[
        ("set", thing(&[], &[ORPHAN], true)),
        ("pod", thing(&["set"], &[], false)),
    ]);
    assert_eq!(judge(&graph, "set"), Verdict::Orphan(vec!["pod".into()]));
    assert_eq!(judge(&graph, "pod"), Verdict::Leave);
}

#[test]
fn the_end_of_an_owner_brings_up_its_dependents() {
    let mut graph = graph(&[
        ("set", thing(&[], &[], false)),
        ("pod", thing(&["set"], &[], false)),
    ]);
    assert_eq!(graph.remove("set"), ["pod"]);
}

#[test]
fn an_object_that_comes_after_its_owner_has_gone_is_looked_at() {
    let mut graph = Graph::default();
    assert_eq!(graph.put("pod".into(), thing(&["set"], &[], false)), ["pod"]);
    assert_eq!(judge(&graph, "pod"), Verdict::Delete);
}
