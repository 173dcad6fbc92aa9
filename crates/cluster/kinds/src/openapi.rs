//! `OpenAPI` v3 documents, one for each group version, made when first asked for. The API server serves them;
//! `kubectl explain` and clients' validation read them.

mod paths;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::definitions::{definitions, reference};
use crate::kind::group_version;
use crate::registry::all;

/// The index of documents, each with a hash in its address that changes with its content.
pub fn openapi_v3_index() -> Value {
    let paths: Map<String, Value> = group_versions()
        .into_iter()
        .map(|name| {
            let path = path_of(&name);
            let address = json!({ "serverRelativeURL": format!("/openapi/v3/{path}?hash={}", hash(&name)) });
            (path, address)
        })
        .collect();
    json!({ "paths": paths })
}

/// The document of a group version, such as `apps/v1` or `v1`, as JSON.
pub fn openapi_v3(group_version: &str) -> Option<&'static [u8]> {
    static DOCUMENTS: OnceLock<HashMap<String, OnceLock<Vec<u8>>>> = OnceLock::new();
    let documents = DOCUMENTS.get_or_init(|| {
        group_versions()
            .into_iter()
            .map(|name| (name, OnceLock::new()))
            .collect()
    });
    let document = documents.get(group_version)?;
    Some(document.get_or_init(|| build(group_version).to_string().into_bytes()))
}

fn group_versions() -> Vec<String> {
    let mut names: Vec<String> = all()
        .iter()
        .map(|kind| group_version(kind.group, kind.version))
        .collect();
    names.dedup();
    names
}

fn path_of(name: &str) -> String {
    if name.contains('/') {
        format!("apis/{name}")
    } else {
        format!("api/{name}")
    }
}

/// The content depends on nothing but the release of this program, so the name of the release stands for it.
fn hash(name: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (name, env!("CARGO_PKG_VERSION"), all().len()).hash(&mut hasher);
    format!("{:016X}", hasher.finish())
}

fn build(name: &str) -> Value {
    let kinds: Vec<_> = all().iter().filter(|kind| kind.api_version() == name).collect();
    let group = kinds.first().map_or("", |kind| kind.group);
    let mut definitions = definitions(|wanted| wanted == group || wanted == extra_group(group));
    for (group, kind, definition) in &definitions.roots {
        if let Some(Value::Object(schema)) = definitions.schemas.get_mut(definition) {
            let words = json!([{ "group": group, "version": "v1", "kind": kind }]);
            schema.insert("x-kubernetes-group-version-kind".to_owned(), words);
        }
    }
    for schema in definitions.schemas.values_mut() {
        publish(schema);
    }
    let roots: HashMap<(&str, &str), &str> = definitions
        .roots
        .iter()
        .map(|(group, kind, name)| ((*group, *kind), name.as_str()))
        .collect();
    let paths = paths::paths(&kinds, &roots);
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": paths,
        "components": { "schemas": definitions.schemas },
    })
}

/// The group whose objects go through subresources of another: `Scale` for `apps`.
fn extra_group(group: &str) -> &str {
    match group {
        "apps" => "autoscaling",
        "" => "policy",
        own => own,
    }
}

/// Makes a generated schema look like the published one.
fn publish(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if map.remove("x-kubernetes-int-or-string").is_some() {
        map.insert(
            "oneOf".to_owned(),
            json!([{ "type": "string" }, { "type": "number" }]),
        );
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

#[cfg(test)]
mod tests;
