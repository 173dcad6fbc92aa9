use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::plan;

/// Values of few words, so that two of them often have much in common.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..3_i64).prop_map(Value::from),
        (0..3_u8).prop_map(|half| json!(f64::from(half) / 2.0)),
        "[ab\"\\\\\u{e9}]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abc\"]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A value with some keys taken out, at any depth.
fn less(value: &Value, keep: &mut impl FnMut() -> bool) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter(|_| keep())
                .map(|(key, value)| (key.clone(), value.clone()));
            let kept: Vec<(String, Value)> = kept.collect();
            kept.into_iter()
                .map(|(key, value)| (key, less(&value, keep)))
                .collect()
        }
        Value::Array(items) => items.iter().map(|item| less(item, keep)).collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn text_and_tree_give_the_same_answer(found in value(), wanted in value()) {
        prop_assert_eq!(contains(&found.to_string(), &wanted.to_string(), None), plan::contains(&found, &wanted));
    }

    #[test]
    fn a_value_has_all_of_what_is_less(found in value(), keep in prop::collection::vec(any::<bool>(), 32)) {
        let mut keep = keep.into_iter().cycle();
        let wanted = less(&found, &mut || keep.next().unwrap_or_default());
        prop_assert!(plan::contains(&found, &wanted));
        prop_assert!(contains(&found.to_string(), &wanted.to_string(), None), "{} has not {}", found, wanted);
    }
}

#[test]
fn maps_may_have_more_and_lists_may_not() {
    let found = r#"{"a":{"x":1,"y":[{"b":true,"c":null}]},"z":"more"}"#;
    assert!(contains(found, r#"{"a":{"y":[{"b":true}]}}"#, None));
    assert!(!contains(found, r#"{"a":{"y":[]}}"#, None));
    assert!(!contains(found, r#"{"a":{"y":[{},{}]}}"#, None));
    assert!(!contains(found, r#"{"a":{"y":[{"d":null}]}}"#, None));
    assert!(!contains("no JSON", "{}", None));
}

#[test]
fn a_map_that_is_wanted_whole_may_not_have_more_either() {
    let found = r#"{"spec":{"hard":{"pods":"1","secrets":"2"}},"hard":"more"}"#;
    let wanted = |hard: Value| json!({ "spec": { "hard": hard } }).to_string();
    let all = json!({ "pods": "1", "secrets": "2" });
    assert!(contains(found, &wanted(all), Some("hard")));
    assert!(contains(found, &wanted(json!({ "pods": "1" })), Some("soft")));
    assert!(!contains(found, &wanted(json!({ "pods": "1" })), Some("hard")));
    assert!(!contains(
        found,
        &wanted(json!({ "pods": "1", "secrets": "2", "services": "3" })),
        Some("hard")
    ));
}
