use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;

use super::*;

fn object(name: &str, uid: &str, version: u64) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            namespace: Some("ns".into()),
            name: Some(name.into()),
            uid: Some(uid.into()),
            resource_version: Some(version.to_string()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

fn listed<const N: usize>(objects: [ConfigMap; N]) -> BTreeMap<Key, Arc<ConfigMap>> {
    let objects = objects.into_iter();
    objects
        .map(|object| (Key::of(&object), Arc::new(object)))
        .collect()
}

fn version(cache: &Cache<ConfigMap>, name: &str) -> Option<u64> {
    cache.get("ns", name).map(|object| object.written_at())
}

#[test]
fn an_answer_newer_than_the_watch_is_seen_at_once() {
    let cache = Cache::new();
    cache.replace(listed([object("a", "1", 5)]), 10);
    cache.absorb(object("b", "2", 11));
    assert_eq!(version(&cache, "b"), Some(11));
}

#[test]
fn an_answer_that_the_watch_has_passed_never_resurrects() {
    let cache = Cache::new();
    cache.replace(listed([]), 10);
    cache.apply(object("a", "1", 11));
    cache.remove(&object("a", "1", 12));
    cache.absorb(object("a", "1", 11));
    assert_eq!(version(&cache, "a"), None);
}

#[test]
fn an_older_event_does_not_undo_a_newer_answer() {
    let cache = Cache::new();
    cache.replace(listed([object("a", "1", 5)]), 10);
    cache.absorb(object("a", "1", 15));
    cache.apply(object("a", "1", 12));
    assert_eq!(version(&cache, "a"), Some(15));
}

#[test]
fn the_deletion_of_a_predecessor_leaves_the_successor() {
    let cache = Cache::new();
    cache.replace(listed([object("a", "old", 5)]), 10);
    cache.absorb(object("a", "new", 15));
    cache.remove(&object("a", "old", 12));
    assert_eq!(version(&cache, "a"), Some(15));
}

#[test]
fn a_new_list_drops_what_is_gone_but_not_what_is_newer() {
    let cache = Cache::new();
    cache.replace(listed([object("a", "1", 5), object("b", "2", 6)]), 10);
    cache.absorb(object("c", "3", 25));
    cache.replace(listed([object("b", "2", 6)]), 20);
    assert_eq!(
        (version(&cache, "a"), version(&cache, "b"), version(&cache, "c")),
        (None, Some(6), Some(25))
    );
}

#[test]
fn handlers_hear_each_change_once() {
    let cache = Cache::new();
    let (added, removed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (on_added, on_removed) = (Arc::clone(&added), Arc::clone(&removed));
    cache.on_change(move |change: &Change<'_, ConfigMap>| {
        if change.new.is_some() {
            &on_added
        } else {
            &on_removed
        }
        .fetch_add(1, Ordering::SeqCst);
    });
    cache.replace(listed([object("a", "1", 5)]), 10);
    cache.absorb(object("a", "1", 11));
    cache.apply(object("a", "1", 11));
    cache.remove(&object("a", "1", 12));
    cache.remove(&object("a", "1", 12));
    assert_eq!(
        (added.load(Ordering::SeqCst), removed.load(Ordering::SeqCst)),
        (2, 1)
    );
}

#[test]
fn answers_that_overtake_each_other_leave_the_newest() {
    let cache = Cache::new();
    cache.replace(listed([]), 10);
    cache.absorb(object("a", "1", 12));
    cache.absorb(object("a", "1", 11));
    assert_eq!(version(&cache, "a"), Some(12));
}

#[test]
fn a_deletion_of_ours_does_not_hide_other_answers() {
    let cache = Cache::new();
    cache.replace(listed([]), 10);
    cache.absorb(object("a", "1", 25));
    cache.forget(&object("a", "1", 25));
    cache.absorb(object("b", "2", 20));
    assert_eq!((version(&cache, "a"), version(&cache, "b")), (None, Some(20)));
}

#[test]
fn what_a_controller_owns_is_found_with_what_nobody_owns() {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    let cache: Cache<ConfigMap> = Cache::with_controllers();
    let owned = |name: &str, owner: &str, version: u64| {
        let mut object = object(name, name, version);
        object.metadata.owner_references = Some(vec![OwnerReference {
            uid: owner.into(),
            controller: Some(true),
            ..OwnerReference::default()
        }]);
        object
    };
    let names = |uid: &str| -> Vec<String> {
        let found = cache.claimable("ns", uid);
        found
            .iter()
            .filter_map(|object| object.metadata.name.clone())
            .collect()
    };
    cache.replace(
        listed([owned("a", "x", 1), owned("b", "y", 2), object("c", "c", 3)]),
        3,
    );
    assert_eq!(names("x"), ["a", "c"]);
    cache.apply(owned("c", "x", 4));
    cache.remove(&owned("a", "x", 5));
    assert_eq!(names("x"), ["c"]);
    assert_eq!(names("y"), ["b"]);
    assert!(cache.claimable("other", "x").is_empty());
}
