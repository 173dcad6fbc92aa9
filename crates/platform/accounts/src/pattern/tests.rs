use proptest::prelude::*;
use serde_json::{Value, json};
use toolforge_policy::psp::HostPath;

use super::*;
use crate::plan::plan;

const UID: &str = "9f6e7c0a-35cb-4a4e-8a6c-1f0d6a7b8c9d";

fn tool() -> impl Strategy<Value = Tool> {
    let words = "[a-z \"\\\\/\u{e9}\u{1}]{0,8}";
    let maintainer = (words, words).prop_map(|(uid, name)| Maintainer { uid, name });
    let maintainers = prop::collection::vec(maintainer, 0..3);
    (
        "[a-z0-9]([-a-z0-9]{0,9}[a-z0-9])?",
        any::<u32>(),
        words,
        maintainers,
    )
        .prop_map(|(name, uid, home, maintainers)| Tool {
            name: name.parse().unwrap(),
            uid,
            home: home.into(),
            maintainers,
            locked: false,
        })
}

/// The rules of a platform that has some of its own.
fn rules() -> (ToolClass, Overrides) {
    let class = ToolClass {
        host_paths: vec![HostPath {
            prefix: "/public".to_owned(),
            read_only: true,
        }],
        supplemental_groups: vec![50_000..=50_001],
    };
    let overrides = "networkPolicy: { podSelector: {}, policyTypes: [Ingress] }\ntools: { other: { quota: { pods: 20 } } }";
    (class, Overrides::read(overrides).unwrap())
}

/// As the API keeps an object: with what it adds.
fn kept(mut object: Value) -> Value {
    object["metadata"]["uid"] = json!(UID);
    object["metadata"]["creationTimestamp"] = json!("2026-11-27T01:00:00Z");
    object["metadata"]["resourceVersion"] = json!("7");
    object
}

/// The places of all values in a tree, the whole first.
fn places(value: &Value, here: &str, all: &mut Vec<String>) {
    all.push(here.to_owned());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{here}/{key}"), all);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                places(value, &format!("{here}/{at}"), all);
            }
        }
        _ => {}
    }
}

/// What somebody does to a value of an object.
fn drift(value: &mut Value, how: u8) {
    match (how, value) {
        (0, Value::Object(map)) => drop(map.insert("more".to_owned(), json!("more"))),
        (1, Value::Object(map)) => {
            let first = map.keys().next().cloned();
            first.map(|key| map.remove(&key));
        }
        (0, Value::Array(items)) => items.push(json!("more")),
        (1, Value::Array(items)) => drop(items.pop()),
        (0, Value::String(text)) => text.push('0'),
        (1, Value::String(text)) => drop(text.pop()),
        (2, value) => *value = Value::Null,
        (_, value) => *value = json!(0),
    }
}

proptest! {
    #[test]
    fn with_a_tools_words_it_is_the_text_of_the_tools_objects(tool in tool()) {
        let (class, overrides) = rules();
        let pattern = Pattern::new(&class, &overrides).unwrap();
        let desired = desired_tool_objects(&tool, &class, &overrides, Some(UID));
        let filled: Vec<(ObjectKey, String)> = pattern.filled(&Words::of(&tool, UID)).collect();
        prop_assert_eq!(filled.len(), desired.len());
        for (object, (key, text)) in desired.iter().zip(filled) {
            prop_assert_eq!(&ObjectKey::of(object), &key);
            prop_assert_eq!(object.to_string(), text);
        }
    }

    #[test]
    fn it_finds_the_same_drift_as_the_plan(tool in tool(), which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), how in 0..4_u8) {
        let (class, overrides) = rules();
        let pattern = Pattern::new(&class, &overrides).unwrap();
        let desired = desired_tool_objects(&tool, &class, &overrides, Some(UID));
        let mut there: Vec<Value> = desired.iter().cloned().map(kept).collect();
        prop_assert!(pattern.is_in(&Cache::of(there.clone()), &tool, UID));
        let drifted = which.get_mut(&mut there);
        let mut all = Vec::new();
        places(drifted, "", &mut all);
        let place = place.get(&all[1..]);
        drift(drifted.pointer_mut(place).unwrap(), how);
        let cache = Cache::of(there);
        let is_right = plan(desired, |key| cache.find(key)).is_empty();
        prop_assert_eq!(pattern.is_in(&cache, &tool, UID), is_right);
    }
}

#[test]
fn there_is_none_when_the_rules_have_words_of_the_made_up_tool() {
    let class = ToolClass::default();
    for word in ["made-up-1-tool", "4294967294", "uid-1-made-up"] {
        let text = format!("networkPolicy: {{ podSelector: {{ matchLabels: {{ a: \"{word}\" }} }} }}");
        assert!(
            Pattern::new(&class, &Overrides::read(&text).unwrap()).is_none(),
            "{word}"
        );
    }
    assert!(Pattern::new(&class, &Overrides::default()).is_some());
}

#[test]
fn a_tool_that_overrides_name_has_none_and_new_overrides_make_a_new_one() {
    let (patterns, class) = (Patterns::default(), ToolClass::default());
    let (other, alpha): (ToolName, ToolName) = ("other".parse().unwrap(), "alpha".parse().unwrap());
    let (old, new) = (Arc::new(Overrides::default()), Arc::new(rules().1));
    let before = patterns.of(&alpha, &class, &old).unwrap();
    assert!(Arc::ptr_eq(&before, &patterns.of(&other, &class, &old).unwrap()));
    let after = patterns.of(&alpha, &class, &new).unwrap();
    assert_eq!(after.0.len(), before.0.len() + 1, "with a network policy");
    assert!(patterns.of(&other, &class, &new).is_none());
}
