//! `OpenAPI` v3 documents of custom kinds: their schemas as published, with what every object has.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::CustomKind;
use crate::definitions::{REFERENCE, definitions};
use crate::openapi::paths;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The document of one group version.
pub fn custom_openapi(kinds: &[&CustomKind]) -> Value {
    let mut shared = definitions(|group, version| (group, version) == ("autoscaling", "v1"));
    let mut schemas: Map<String, Value> = Map::new();
    let mut names: HashMap<(&str, &str, &str), String> = HashMap::new();
    for (place, name) in &shared.roots {
        names.insert(*place, name.clone());
    }
    schemas.append(&mut shared.schemas);
    for custom in kinds {
        let name = definition_name(custom);
        schemas.insert(format!("{name}List"), list(custom, &name));
        schemas.insert(name.clone(), definition(custom));
        names.insert(custom.kind.place(), name);
    }
    let roots = names
        .iter()
        .map(|(place, name)| (*place, name.as_str()))
        .collect();
    let kinds: Vec<_> = kinds.iter().map(|custom| custom.kind).collect();
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes CRD Swagger", "version": "v0.1.0" },
        "paths": paths::paths(&kinds, &roots),
        "components": { "schemas": schemas },
    })
}

/// `org.example.v1.CronTab` for `example.org/v1 CronTab`.
fn definition_name(custom: &CustomKind) -> String {
    let kind = custom.kind;
    let group: Vec<&str> = kind.group.split('.').rev().collect();
    format!("{}.{}.{}", group.join("."), kind.version, kind.kind)
}

fn list(custom: &CustomKind, item: &str) -> Value {
    let kind = custom.kind;
    json!({
        "description": format!("{} is a list of {}", custom.list_kind, kind.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": { "type": "string" },
            "items": { "type": "array", "items": { "$ref": format!("{REFERENCE}{item}") } },
            "kind": { "type": "string" },
            "metadata": { "type": "object" },
        },
        "x-kubernetes-group-version-kind":
            [{ "group": kind.group, "version": kind.version, "kind": custom.list_kind }],
    })
}

fn definition(custom: &CustomKind) -> Value {
    let kind = custom.kind;
    let mut schema = custom.published.clone();
    schema["x-kubernetes-group-version-kind"] =
        json!([{ "group": kind.group, "version": kind.version, "kind": kind.kind }]);
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    let text = |about: &str| json!({ "type": "string", "description": about });
    let properties = &mut schema["properties"];
    properties["apiVersion"] = text(
        "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
    );
    properties["kind"] = text(
        "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
    );
    properties["metadata"] = json!({
        "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
        "allOf": [{ "$ref": format!("{REFERENCE}{OBJECT_META}") }],
    });
    schema
}
