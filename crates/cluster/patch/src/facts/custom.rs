//! Facts of kinds that users define: read from the structural schema of a version, which says in its own words how
//! lists and maps are merged.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Key, ListType};

/// How the values of a custom kind are merged.
#[derive(Debug)]
pub struct CustomType(Custom);

/// The same for a value within it.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(crate) atomic: bool,
    pub(crate) list: ListType,
    pub(crate) keys: Vec<Key>,
    pub(crate) items: Option<Box<Custom>>,
    /// Whether the value is an object with metadata of its own.
    pub(crate) is_object: bool,
    /// Whether it has fields that the schema does not know.
    pub(crate) preserves: bool,
    fields: BTreeMap<String, Custom>,
    values: Option<Box<Custom>>,
}

impl CustomType {
    /// Reads a structural schema that has been validated.
    pub fn of_schema(schema: &Value) -> Self {
        let mut root = Custom::of(schema);
        root.is_object = true;
        Self(root)
    }

    pub(super) fn root(&self) -> &Custom {
        &self.0
    }
}

impl Custom {
    fn of(schema: &Value) -> Self {
        let text = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
        let flag = |name: &str| schema.get(name).and_then(Value::as_bool).unwrap_or(false);
        let below = |name: &str| {
            schema
                .get(name)
                .filter(|found| found.is_object())
                .map(|found| Box::new(Self::of(found)))
        };
        let list = match text("x-kubernetes-list-type") {
            "map" => ListType::Map,
            "set" => ListType::Set,
            _ => ListType::Atomic,
        };
        let fields = schema.get("properties").and_then(Value::as_object);
        Self {
            atomic: text("x-kubernetes-map-type") == "atomic",
            list,
            keys: keys(schema),
            items: below("items"),
            is_object: flag("x-kubernetes-embedded-resource"),
            preserves: flag("x-kubernetes-preserve-unknown-fields"),
            fields: fields.map(fields_of).unwrap_or_default(),
            values: below("additionalProperties"),
        }
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.fields.get(name).or(self.values.as_deref())
    }

    /// Whether its entries are free names.
    pub(super) fn is_map(&self) -> bool {
        self.fields.is_empty() && !self.is_object
    }
}

fn fields_of(fields: &Map<String, Value>) -> BTreeMap<String, Custom> {
    fields
        .iter()
        .map(|(name, schema)| (name.clone(), Custom::of(schema)))
        .collect()
}

fn keys(schema: &Value) -> Vec<Key> {
    let names = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    let fields = schema.pointer("/items/properties");
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| Key {
            name: name.to_owned().into(),
            default: fields
                .and_then(|fields| fields.get(name)?.get("default"))
                .cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Applier, TypeRef, apply_as, track_update};

    #[test]
    fn two_appliers_share_a_list_map_and_a_set() {
        let of = CustomType::of_schema(
            &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
                    "items": {"type": "object", "properties": {
                        "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}, "name": {"type": "string"}}}},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "string"}},
                "plain": {"type": "array", "items": {"type": "string"}},
            }}}}),
        );
        let schema = TypeRef::custom(&of);
        assert!(!schema.is_known());
        let by = |manager: &'static str| Applier {
            manager,
            subresource: None,
            force: false,
            now: "2026-01-01T00:00:00Z",
        };
        let object = |spec: Value| json!({"apiVersion": "example.org/v1", "kind": "X", "metadata": {"name": "a", "labels": {"l": "1"}}, "spec": spec});
        let one = object(json!({"ports": [{"port": 1, "name": "a"}], "tags": ["x"], "whole": {"a": "1"}}));
        let first = apply_as(schema, None, &one, by("one")).unwrap();
        let two = object(json!({"ports": [{"port": 1, "protocol": "UDP"}], "tags": ["y"]}));
        let second = apply_as(schema, Some(&first), &two, by("two")).unwrap();
        assert_eq!(second["spec"]["ports"].as_array().unwrap().len(), 2);
        assert_eq!(second["spec"]["tags"], json!(["x", "y"]));
        let fields = &second["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
        assert!(
            fields["f:ports"][r#"k:{"port":1,"protocol":"TCP"}"#].is_object(),
            "{fields}"
        );
        assert!(fields["f:whole"].as_object().unwrap().is_empty(), "{fields}");
        let conflict = apply_as(
            schema,
            Some(&second),
            &object(json!({"whole": {"b": "2"}})),
            by("three"),
        )
        .unwrap_err();
        assert!(conflict.to_string().contains(".spec.whole"), "{conflict}");
        let mut without =
            apply_as(schema, Some(&second), &object(json!({"tags": ["y"]})), by("one")).unwrap();
        assert_eq!(without["spec"]["ports"], json!([{"port": 1, "protocol": "UDP"}]));
        assert_eq!(without["spec"]["tags"], json!(["y"]));
        let before = without.clone();
        without["spec"]["plain"] = json!(["p"]);
        track_update(
            schema,
            Some(&before),
            &mut without,
            "editor",
            None,
            "2026-01-01T00:00:00Z",
        );
        let entries = without["metadata"]["managedFields"].as_array().unwrap();
        assert!(
            entries
                .iter()
                .any(|entry| entry["fieldsV1"]["f:spec"]["f:plain"].is_object())
        );
    }
}
