use serde_json::json;

use super::*;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn quota(version: &str, pods: &str, used: &str) -> DynamicObject {
    object(json!({
        "metadata": { "name": "q", "namespace": "n", "resourceVersion": version, "generation": 3, "uid": "u-1", "creationTimestamp": "2026-11-25T16:00:01Z", "managedFields": [{ "manager": "m" }] },
        "spec": { "hard": { "pods": pods } },
        "status": { "used": { "pods": used } },
    }))
}

fn key() -> ObjectKey {
    ObjectKey {
        kind: "ResourceQuota".to_owned(),
        namespace: "n".to_owned(),
        name: "q".to_owned(),
    }
}

#[test]
fn objects_are_kept_with_their_kind_and_without_what_nobody_asks_for() {
    let cache = Cache::default();
    cache.put(value(&Owned::ResourceQuota.resource(), quota("7", "1", "0")));
    let expected = json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": { "name": "q", "namespace": "n" },
        "spec": { "hard": { "pods": "1" } },
    });
    assert_eq!(cache.find(&key()), Some(expected));
    assert!(cache.is_at(&key(), "7"));
}

#[test]
fn a_word_goes_out_for_what_others_change_and_not_for_how_it_stands() {
    let (cache, resource) = (Cache::default(), Owned::ResourceQuota.resource());
    let (word, mut words) = mpsc::unbounded_channel();
    let mut take = |object| {
        take(&cache, &resource, object, &word);
        words.try_recv().is_ok()
    };
    assert!(take(quota("1", "1", "0")), "it is new");
    assert!(!take(quota("2", "1", "1")), "only its status is another");
    assert!(take(quota("3", "2", "1")));
    cache.echoes.begins(&key());
    assert!(!cache.echoes.ends(&key(), Some("4"), false));
    assert!(!take(quota("4", "3", "1")), "we wrote it");
    assert!(take(quota("5", "4", "1")));
    assert!(cache.is_at(&key(), "5"));
}

#[test]
fn a_quota_that_bounds_more_is_not_as_it_should_be() {
    let cache = Cache::default();
    cache.put(value(&Owned::ResourceQuota.resource(), quota("1", "1", "0")));
    let is = |hard: Value| cache.is_as(&key(), &json!({ "spec": { "hard": hard } }).to_string());
    assert!(is(json!({ "pods": "1" })));
    assert!(!is(json!({ "pods": "2" })));
    assert!(!is(json!({})));
    let other = ObjectKey {
        name: "other".to_owned(),
        ..key()
    };
    assert!(!cache.is_as(&other, "{}"));
}

#[test]
fn tools_are_those_of_namespaces_that_are_not_being_deleted() {
    let (cache, resource) = (Cache::default(), Owned::Namespace.resource());
    let namespace = |metadata: Value| value(&resource, object(json!({ "metadata": metadata })));
    let annotations = json!({ "toolforge.org/withdrawn": "locked", "toolforge.org/withdrawn-since": "2026-11-25T16:00:01Z" });
    cache.put(namespace(json!({ "name": "tool-alpha" })));
    cache.put(namespace(
        json!({ "name": "tool-beta", "annotations": annotations }),
    ));
    cache.put(namespace(json!({ "name": "kube-system" })));
    let (alpha, beta): (ToolName, ToolName) = ("alpha".parse().unwrap(), "beta".parse().unwrap());
    assert_eq!(
        cache.tools().into_keys().collect::<Vec<_>>(),
        [alpha.clone(), beta.clone()]
    );
    assert!(cache.ask_of_tool(&alpha, |found| found == Some(&None)));
    assert!(cache.ask_of_tool(&beta, |found| found.is_some_and(Option::is_some)));
    cache.put(namespace(
        json!({ "name": "tool-alpha", "deletionTimestamp": "2026-11-25T16:00:01Z" }),
    ));
    assert!(cache.ask_of_tool(&alpha, |found| found.is_none()));
    let gone = cache.retain(
        "Namespace",
        &HashSet::from([namespace_key("tool-alpha"), namespace_key("kube-system")]),
    );
    assert_eq!(gone, [namespace_key("tool-beta")]);
    assert!(cache.tools().is_empty());
}
