//! What holds for all patches: round trips, idempotence, and appliers that do not get into each other's way.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use toolforge_patch::{TypeRef, apply, json_patch, merge_patch, strategic_merge, track_update};

const NOW: &str = "2026-01-01T00:00:00Z";

fn deployment() -> TypeRef<'static> {
    TypeRef::of("apps", "v1", "Deployment")
}

/// Any JSON, with few different keys, so that two values have some in common.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..5).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-e$]|metadata|spec|containers|name|finalizers", inner, 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A Deployment as an applier writes it: any part may be missing.
fn any_config() -> impl Strategy<Value = Value> {
    let text = || prop::option::of("[x-z]");
    let container = (
        text(),
        prop::option::of(0..3),
        prop::collection::btree_map("[A-C]", "[0-2]", 0..3),
    )
        .prop_map(|(image, port, env)| {
            let env: Vec<_> = env
                .iter()
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect();
            let ports: Vec<_> = port.iter().map(|port| json!({"containerPort": port})).collect();
            without_nulls(json!({"image": image, "env": env, "ports": ports}))
        });
    let containers = prop::collection::btree_map("[a-c]", container, 0..3);
    let labels = prop::collection::btree_map("[k-m]", "[0-2]", 0..3);
    let finalizers = prop::collection::btree_set("[f-h]", 0..3);
    (prop::option::of(0..4), text(), containers, labels, finalizers).prop_map(
        |(replicas, account, containers, labels, finalizers)| {
            let containers: Vec<Value> = containers
                .into_iter()
                .map(|(name, mut container)| {
                    container["name"] = json!(name);
                    container
                })
                .collect();
            let pod = without_nulls(json!({"serviceAccountName": account, "containers": containers}));
            json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "d", "labels": labels, "finalizers": finalizers},
                "spec": without_nulls(json!({"replicas": replicas, "template": {"spec": pod}})),
            })
        },
    )
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// Drops what is empty and puts lists in one order: ownership knows neither.
fn essence(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let kept = entries.iter().map(|(name, value)| (name.clone(), essence(value)));
            let kept = kept.filter(|(_, value)| *value != json!({}) && *value != json!([]));
            Value::Object(kept.collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(essence).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        scalar => scalar.clone(),
    }
}

fn content(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    essence(&object)
}

/// The merge patch that makes `new` of `old`; neither may contain nulls within objects.
fn difference(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return new.clone();
    };
    let mut patch = Map::new();
    for (name, value) in new.iter().filter(|(name, value)| old.get(*name) != Some(value)) {
        let known = old
            .get(name)
            .filter(|known| known.is_object() && value.is_object());
        patch.insert(
            name.clone(),
            known.map_or_else(|| value.clone(), |known| difference(known, value)),
        );
    }
    patch.extend(
        old.keys()
            .filter(|name| !new.contains_key(*name))
            .map(|name| (name.clone(), Value::Null)),
    );
    Value::Object(patch)
}

fn deep_without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let kept = entries.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(name, value)| (name.clone(), deep_without_nulls(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn the_difference_of_two_objects_is_the_merge_patch_between_them(old in any_json(), new in any_json()) {
        let (old, new) = (deep_without_nulls(&old), deep_without_nulls(&new));
        prop_assert_eq!(merge_patch(&old, &difference(&old, &new)), new);
    }

    #[test]
    fn applying_twice_changes_nothing_the_second_time(live in any_config(), config in any_config()) {
        let live = apply(deployment(), None, &live, "other", true, NOW).unwrap();
        let once = apply(deployment(), Some(&live), &config, "me", true, NOW).unwrap();
        let twice = apply(deployment(), Some(&once), &config, "me", false, "2027-01-01T00:00:00Z");
        prop_assert_eq!(twice, Ok(once));
    }

    #[test]
    fn what_is_applied_is_what_is_there(config in any_config(), other in any_config()) {
        let live = apply(deployment(), None, &other, "other", false, NOW).unwrap();
        let object = apply(deployment(), Some(&live), &config, "me", true, NOW).unwrap();
        let again = apply(deployment(), Some(&object), &config, "third", false, NOW);
        prop_assert!(again.is_ok(), "somebody else owns what was just applied: {again:?}");
    }

    #[test]
    fn the_last_configuration_of_a_single_applier_is_the_whole_object(first in any_config(), last in any_config()) {
        let object = apply(deployment(), None, &first, "me", false, NOW).unwrap();
        let object = apply(deployment(), Some(&object), &last, "me", false, NOW).unwrap();
        prop_assert_eq!(content(&object), essence(&last));
    }

    #[test]
    fn who_drops_everything_leaves_what_others_applied(mine in any_config(), theirs in any_config()) {
        let object = apply(deployment(), None, &theirs, "they", false, NOW).unwrap();
        let nothing = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}});
        if let Ok(both) = apply(deployment(), Some(&object), &mine, "me", false, NOW) {
            let alone = apply(deployment(), Some(&both), &nothing, "me", false, NOW).unwrap();
            prop_assert_eq!(content(&alone), content(&object));
        }
    }

    #[test]
    fn appliers_without_conflict_may_come_in_any_order(one in any_config(), two in any_config()) {
        let start = |config: &Value, manager| apply(deployment(), None, config, manager, false, NOW).unwrap();
        let first = apply(deployment(), Some(&start(&one, "one")), &two, "two", false, NOW);
        let second = apply(deployment(), Some(&start(&two, "two")), &one, "one", false, NOW);
        prop_assert_eq!(first.is_ok(), second.is_ok());
        if let (Ok(first), Ok(second)) = (first, second) {
            prop_assert_eq!(content(&first), content(&second));
            prop_assert_eq!(&first["metadata"]["managedFields"], &second["metadata"]["managedFields"]);
        }
    }

    #[test]
    fn every_field_that_an_update_changes_is_owned_by_the_updater(old in any_config(), mut new in any_config()) {
        let live = apply(deployment(), None, &old, "applier", false, NOW).unwrap();
        track_update(deployment(), Some(&live), &mut new, "updater", None, NOW);
        if let Err(conflicts) = apply(deployment(), Some(&new), &old, "applier", false, NOW) {
            prop_assert!(!conflicts.to_string().contains("applier"), "{}", conflicts);
        }
    }

    #[test]
    fn nothing_makes_a_patch_panic(object in any_json(), patch in any_json(), manager in ".{0,3}") {
        for schema in [deployment(), TypeRef::of("example.org", "v1", "Crate")] {
            let _ = json_patch(&object, &patch);
            let _ = merge_patch(&object, &patch);
            let _ = strategic_merge(schema, &object, &patch);
            let _ = apply(schema, Some(&object), &patch, &manager, false, NOW);
            let mut new = patch.clone();
            track_update(schema, Some(&object), &mut new, &manager, None, NOW);
        }
    }
}
