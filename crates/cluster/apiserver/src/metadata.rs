//! What the API itself writes into `metadata`, and what of it a client may not change.
//!
//! Pure: the clock's and the dice's results are handed in.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Longest base of a generated name in characters, so that base and suffix fit a DNS label.
const GENERATED_BASE: usize = 58;
/// Letters and digits of generated names: none that spells words or looks like another.
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Random characters of a generated name.
const SUFFIX_LENGTH: usize = 5;

/// The finalizer behind foreground deletion.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer behind orphaning.
pub(crate) const ORPHAN: &str = "orphan";

/// The time as Kubernetes writes it: UTC, whole seconds.
pub(crate) fn time(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A string inside `metadata`, empty when it is not there.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object
        .get("metadata")
        .and_then(|metadata| metadata.get(field))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// `metadata`, made when it is not there. `None` when the object is no JSON object.
pub(crate) fn of(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let map = object.as_object_mut()?;
    let metadata = map.entry("metadata").or_insert_with(|| json!({}));
    if !metadata.is_object() {
        *metadata = json!({});
    }
    metadata.as_object_mut()
}

/// A name for `generateName`; `dice` gives the random characters.
pub(crate) fn generate_name(base: &str, mut dice: impl FnMut(usize) -> usize) -> String {
    let base: String = base.chars().take(GENERATED_BASE).collect();
    let suffix: String = (0..SUFFIX_LENGTH)
        .map(|_| char::from(SUFFIX_ALPHABET[dice(SUFFIX_ALPHABET.len()) % SUFFIX_ALPHABET.len()]))
        .collect();
    base + &suffix
}

/// Fills the metadata of a new object.
pub(crate) fn fill_new(object: &mut Value, uid: &str, now: &str) {
    if let Some(metadata) = of(object) {
        for field in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "resourceVersion",
        ] {
            metadata.remove(field);
        }
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("creationTimestamp".to_owned(), json!(now));
    }
}

/// What only the API writes, taken over from the old state.
const KEPT: &[&str] = &[
    "name",
    "namespace",
    "generateName",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
];

/// Puts back what an update may not change.
pub(crate) fn keep(old: &Value, new: &mut Value) {
    for field in ["apiVersion", "kind"] {
        if let (Some(found), Some(map)) = (old.get(field), new.as_object_mut()) {
            map.insert(field.to_owned(), found.clone());
        }
    }
    let old = old.get("metadata");
    let Some(metadata) = of(new) else { return };
    metadata.remove("selfLink");
    for field in KEPT {
        match old.and_then(|old| old.get(*field)) {
            Some(value) => metadata.insert((*field).to_owned(), value.clone()),
            None => metadata.remove(*field),
        };
    }
    if !metadata.contains_key("managedFields")
        && let Some(managed) = old.and_then(|old| old.get("managedFields"))
    {
        metadata.insert("managedFields".to_owned(), managed.clone());
    }
}

/// Gives an object these managers of its fields, or none.
pub(crate) fn set_managers(object: &mut Value, managers: Option<Value>) {
    let Some(metadata) = of(object) else { return };
    match managers {
        Some(managers) => metadata.insert("managedFields".to_owned(), managers),
        None => metadata.remove("managedFields"),
    };
}

/// The finalizers of an object.
pub(crate) fn finalizers(object: &Value) -> Vec<String> {
    list(object.pointer("/metadata/finalizers"))
}

/// The finalizers of a namespace's content; empty for other kinds.
pub(crate) fn namespace_finalizers(object: &Value) -> Vec<String> {
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    if text("kind") == Some("Namespace") && text("apiVersion") == Some("v1") {
        list(object.pointer("/spec/finalizers"))
    } else {
        Vec::new()
    }
}

fn list(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Whether deletion has been asked for.
pub(crate) fn is_deleting(object: &Value) -> bool {
    !text(object, "deletionTimestamp").is_empty()
}

/// Whether an object whose deletion was asked for has nothing left to wait for.
pub(crate) fn may_go(object: &Value) -> bool {
    let grace = object
        .pointer("/metadata/deletionGracePeriodSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    is_deleting(object)
        && grace == 0
        && finalizers(object).is_empty()
        && namespace_finalizers(object).is_empty()
}

/// Whether two states differ in more than their revision and the times of their managers.
pub(crate) fn is_same(old: &Value, new: &Value) -> bool {
    let strip = |value: &Value| {
        let mut value = value.clone();
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
            if let Some(managers) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
                for manager in managers.iter_mut().filter_map(Value::as_object_mut) {
                    manager.remove("time");
                }
            }
        }
        value
    };
    strip(old) == strip(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_fit_a_label() {
        let name = generate_name(&"x".repeat(80), |_| 0);
        assert_eq!(name.len(), 63);
        assert!(name.ends_with("bbbbb"));
        assert_eq!(generate_name("web-", |_| 26), "web-99999");
    }

    #[test]
    fn an_update_cannot_change_what_the_api_writes() {
        let old =
            json!({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","uid":"1","managedFields":[1]}});
        let mut new =
            json!({"kind":"X","metadata":{"name":"b","uid":"2","deletionTimestamp":"t","labels":{"a":"b"}}});
        keep(&old, &mut new);
        assert_eq!(
            new,
            json!({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","uid":"1","managedFields":[1],"labels":{"a":"b"}}})
        );
    }

    #[test]
    fn revision_and_manager_times_make_no_difference() {
        let old = json!({"metadata":{"resourceVersion":"1","managedFields":[{"manager":"a","time":"x"}]},"data":{}});
        let mut new = json!({"metadata":{"resourceVersion":"2","managedFields":[{"manager":"a","time":"y"}]},"data":{}});
        assert!(is_same(&old, &new));
        new["metadata"]["managedFields"][0]["manager"] = json!("b");
        assert!(!is_same(&old, &new));
    }

    #[test]
    fn an_object_goes_when_nothing_holds_it() {
        let deleting = |more: Value| {
            let mut object =
                json!({"apiVersion":"v1","kind":"Namespace","metadata":{"deletionTimestamp":"t"}});
            object
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            object
        };
        assert!(may_go(&deleting(json!({}))));
        assert!(!may_go(&deleting(json!({"spec":{"finalizers":["kubernetes"]}}))));
        assert!(!may_go(
            &json!({"metadata":{"deletionTimestamp":"t","finalizers":["x"]}})
        ));
        assert!(!may_go(
            &json!({"metadata":{"deletionTimestamp":"t","deletionGracePeriodSeconds":30}})
        ));
        assert!(!may_go(&json!({"metadata":{}})));
    }
}
