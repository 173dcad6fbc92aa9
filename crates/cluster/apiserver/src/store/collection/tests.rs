//! The ring and the past of a collection, against a plain record of every state.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::store::{Key, Resource};

type World = BTreeMap<String, u64>;

fn stored(name: &str, revision: u64) -> Arc<Stored> {
    let resource = Resource::find("", "configmaps").unwrap();
    let value = json!({"metadata":{"name":name,"namespace":"a"}});
    Arc::new(Stored::stamp(
        Key::new(resource, Some("a"), name),
        revision,
        value,
        "ADDED",
    ))
}

/// Plays a history of puts and removals of a few names, and keeps every state on the way.
fn play(history: &[(u8, bool)]) -> (Collection, Vec<World>) {
    let mut collection = Collection::new(0);
    let mut world = World::new();
    let mut states = vec![world.clone()];
    for (step, (name, puts)) in history.iter().enumerate() {
        let (name, revision) = (format!("m{name}"), step as u64 + 1);
        if *puts || !world.contains_key(&name) {
            world.insert(name.clone(), revision);
            collection.apply(Effect::Put, stored(&name, revision));
        } else {
            world.remove(&name);
            collection.apply(Effect::Removed, stored(&name, revision));
        }
        states.push(world.clone());
    }
    (collection, states)
}

fn seen(objects: &[Arc<Stored>]) -> World {
    objects
        .iter()
        .map(|stored| (stored.key.name.clone(), stored.revision))
        .collect()
}

proptest! {
    #[test]
    fn every_past_listing_is_what_it_was(history in prop::collection::vec((0u8..5, any::<bool>()), 0..60)) {
        let (collection, states) = play(&history);
        for (revision, state) in states.iter().enumerate() {
            let then = collection.list_at(revision as u64, Some("a"), None).unwrap();
            prop_assert_eq!(&seen(&then), state);
        }
    }

    #[test]
    fn a_listing_and_its_events_give_the_present(history in prop::collection::vec((0u8..5, any::<bool>()), 0..60), from in 0usize..60) {
        let (collection, states) = play(&history);
        let from = from.min(history.len());
        let mut world = states[from].clone();
        let mut last = from as u64;
        for event in collection.events_after(from as u64).unwrap() {
            prop_assert!(event.revision() > last, "in order");
            last = event.revision();
            match event.effect {
                Effect::Put => world.insert(event.object.key.name.clone(), event.revision()),
                Effect::Removed => world.remove(&event.object.key.name),
            };
        }
        prop_assert_eq!(&world, states.last().unwrap());
    }
}

#[test]
fn a_full_ring_forgets_its_oldest_events() {
    let mut collection = Collection::new(0);
    for revision in 1..=RING_EVENTS as u64 + 2 {
        collection.apply(Effect::Put, stored("m", revision));
    }
    assert_eq!(collection.events_after(1).unwrap_err(), Compacted);
    assert_eq!(collection.events_after(2).unwrap().len(), RING_EVENTS);
    assert_eq!(collection.list_at(1, None, None).unwrap_err(), Compacted);
}

#[test]
fn pages_continue_after_a_place_in_all_namespaces() {
    let mut collection = Collection::new(0);
    for (revision, name) in ["a", "b", "c"].iter().enumerate() {
        collection.apply(Effect::Put, stored(name, revision as u64 + 1));
    }
    let after = ("a".to_owned(), "a".to_owned());
    assert_eq!(seen(&collection.list(None, Some(&after))).len(), 2);
    assert_eq!(seen(&collection.list(Some("b"), None)).len(), 0);
}
