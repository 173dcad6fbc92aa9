//! From generated schemas to those that Kubernetes publishes: which kind a schema is of, how its lists are merged,
//! what its fields are by default.
//!
//! Both forms of the documents are made of what comes out here.

use serde_json::{Value, json};
use toolforge_patch::{FieldExtensions, extensions};

use crate::definitions::{Definitions, LIST_META, REFERENCE, reference};
use crate::kind::Kind;

const VERSION: &str = "APIVersion defines the versioned schema of this representation of an object.";
const KIND: &str = "Kind is a string value representing the REST resource this object represents.";

/// Types that are any JSON value, or an object as well as something else. The types that clients are generated from call
/// them objects; published they have no type, and clients take whatever stands there.
const OF_ANY_TYPE: [&str; 4] = [
    "JSON",
    "JSONSchemaPropsOrArray",
    "JSONSchemaPropsOrBool",
    "JSONSchemaPropsOrStringArray",
];

/// Makes all definitions look like the published ones.
pub(super) fn publish(definitions: &mut Definitions, kinds: &[&Kind]) {
    add_lists(definitions, kinds);
    for ((group, version, kind), definition) in &definitions.roots {
        if let Some(Value::Object(schema)) = definitions.schemas.get_mut(definition) {
            let words = json!([{ "group": group, "version": version, "kind": kind }]);
            schema.insert("x-kubernetes-group-version-kind".to_owned(), words);
        }
    }
    let mut defaults = Vec::new();
    for (name, schema) in &mut definitions.schemas {
        publish_schema(schema);
        let last = name.rsplit('.').next().unwrap_or_default();
        if let Some(map) = schema.as_object_mut().filter(|_| OF_ANY_TYPE.contains(&last)) {
            map.remove("type");
        }
        defaults.extend(extend(name, schema));
    }
    for (definition, field, default) in defaults {
        let schema = definitions.schemas.get_mut(&definition);
        if let Some(property) = schema.and_then(|schema| schema.pointer_mut(&format!("/properties/{field}")))
        {
            property["default"] = json!(default);
        }
    }
}

/// Lists are made here: they differ in nothing but their items.
fn add_lists(definitions: &mut Definitions, kinds: &[&Kind]) {
    for kind in kinds.iter().filter(|kind| kind.verbs.contains("list")) {
        let Some((_, item)) = definitions.roots.iter().find(|(place, _)| *place == kind.place()) else {
            continue;
        };
        let words =
            json!([{ "group": kind.group, "version": kind.version, "kind": format!("{}List", kind.kind) }]);
        let schema = json!({
            "description": format!("{}List is a list of {}.", kind.kind, kind.kind),
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": { "type": "string", "description": VERSION },
                "items": {
                    "type": "array",
                    "description": "List of objects.",
                    "items": { "allOf": [{ "$ref": format!("{REFERENCE}{item}") }], "default": {} },
                },
                "kind": { "type": "string", "description": KIND },
                "metadata": {
                    "allOf": [{ "$ref": format!("{REFERENCE}{LIST_META}") }],
                    "description": "Standard list metadata.",
                },
            },
            "x-kubernetes-group-version-kind": words,
        });
        let name = format!("{item}List");
        definitions.schemas.insert(name, schema);
    }
}

fn publish_schema(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if map.remove("x-kubernetes-int-or-string").is_some() {
        map.insert(
            "oneOf".to_owned(),
            json!([{ "type": "string" }, { "type": "number" }]),
        );
        map.insert("format".to_owned(), json!("int-or-string"));
    }
    if let Some(Value::Array(required)) = map.get_mut("required") {
        required.retain(|name| name != "metadata");
        if required.is_empty() {
            map.remove("required");
        }
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        for property in properties.values_mut() {
            publish_property(property);
        }
    }
}

/// A reference with a description has a default, as published schemas do.
fn publish_property(property: &mut Value) {
    if property.get("allOf").is_some()
        && reference(property).is_some_and(|name| !name.contains(".apimachinery."))
    {
        property["default"] = json!({});
    }
}

/// Says how a type and its fields are merged. Gives the defaults that fields of other types have by this.
fn extend(name: &str, schema: &mut Value) -> Vec<(String, &'static str, &'static str)> {
    let facts = extensions(name);
    let mut defaults = Vec::new();
    let Some(map) = schema.as_object_mut() else {
        return defaults;
    };
    map.extend(facts.own);
    for (field, said) in facts.fields {
        let Some(Value::Object(property)) = map.get_mut("properties").and_then(|all| all.get_mut(field))
        else {
            continue;
        };
        let FieldExtensions {
            extensions,
            item_defaults,
        } = said;
        property.extend(extensions);
        if let Some(item) = property.get("items").and_then(reference) {
            let item = item.to_owned();
            defaults.extend(
                item_defaults
                    .into_iter()
                    .map(|(key, default)| (item.clone(), key, default)),
            );
        }
    }
    defaults
}
