//! The one document of `OpenAPI` v2, made of the same definitions and paths as those of v3.
//!
//! Older clients check fields with it, `kubectl explain --output=plaintext-openapiv2` prints it. The API server serves
//! it as JSON or protobuf. Building it allocates a few megabytes: callers keep only what they make of it.

use serde_json::{Map, Value, json};

use super::{build_parts, group_versions};

/// Prefix of references between definitions.
const REFERENCE: &str = "#/definitions/";

/// The document of all kinds: the built-in ones, and those of the v3 documents in `custom`.
pub fn openapi_v2(custom: &[Value]) -> Value {
    let mut definitions = Map::new();
    let mut paths = Map::new();
    for name in group_versions() {
        let (found, places) = build_parts(&name);
        definitions.extend(found.into_iter().map(|(name, schema)| (name, downgrade(schema))));
        paths.extend(
            places
                .into_iter()
                .map(|(path, item)| (path, downgrade_path(item))),
        );
    }
    for document in custom {
        // What they share with the built-in kinds is there already.
        for (name, schema) in entries(&document["components"]["schemas"]) {
            if !definitions.contains_key(name) {
                definitions.insert(name.clone(), downgrade_custom(schema.clone()));
            }
        }
        let places = entries(&document["paths"]);
        paths.extend(places.map(|(path, item)| (path.clone(), downgrade_path(item.clone()))));
    }
    json!({
        "swagger": "2.0",
        "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": paths,
        "definitions": definitions,
    })
}

fn entries(map: &Value) -> impl Iterator<Item = (&String, &Value)> {
    map.as_object().into_iter().flatten()
}

/// What v2 has no words for, and what clients of v2 would take for a refusal of values that the API takes.
const UNKNOWN_TO_V2: [&str; 5] = ["oneOf", "anyOf", "allOf", "not", "nullable"];

/// A user's schema as v2 has it. As in Kubernetes, properties are left out where unknown ones are kept, since clients
/// of v2 refuse those, and nothing is told of what takes a number as well as a text.
fn downgrade_custom(mut schema: Value) -> Value {
    let Some(map) = schema.as_object_mut() else {
        return downgrade(schema);
    };
    let is_nullable = map.get("nullable") == Some(&Value::Bool(true));
    let metadata_of_all = map.contains_key("x-kubernetes-group-version-kind");
    if map.get("allOf").is_some_and(is_reference) && !is_nullable {
        return downgrade(schema);
    }
    for word in UNKNOWN_TO_V2 {
        map.remove(word);
    }
    let keeps_all = map.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    let takes_both = map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
    if is_nullable || takes_both {
        map.remove("type");
        map.remove("format");
    }
    if is_nullable || (keeps_all && !metadata_of_all) {
        for word in ["type", "items", "properties"] {
            map.remove(word);
        }
    }
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            *property = downgrade_custom(property.take());
        }
    }
    for word in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(word).filter(|inner| inner.is_object()) {
            *inner = downgrade_custom(inner.take());
        }
    }
    downgrade_reference(schema)
}

/// `allOf` with nothing but a reference in it.
fn is_reference(parts: &Value) -> bool {
    parts
        .as_array()
        .is_some_and(|parts| matches!(parts.as_slice(), [only] if only.get("$ref").is_some()))
}

fn downgrade_reference(mut schema: Value) -> Value {
    if let Some(reference) = schema.get_mut("$ref") {
        *reference = downgrade(reference.take());
    }
    schema
}

/// A schema as v2 has it: one type, and references beside a description.
fn downgrade(schema: Value) -> Value {
    match schema {
        Value::Object(map) => downgrade_map(map),
        Value::Array(items) => Value::Array(items.into_iter().map(downgrade).collect()),
        Value::String(text) => match text.strip_prefix(crate::definitions::REFERENCE) {
            Some(name) => Value::String(format!("{REFERENCE}{name}")),
            None => Value::String(text),
        },
        other => other,
    }
}

fn downgrade_map(mut map: Map<String, Value>) -> Value {
    if map.get("oneOf").is_some_and(is_choice_of_types) {
        map.remove("oneOf");
        map.insert("type".to_owned(), json!("string"));
    }
    map.remove("nullable");
    if let Some(Value::Array(mut parts)) = map.remove("allOf") {
        match parts.pop() {
            Some(Value::Object(only)) if parts.is_empty() => {
                map.remove("default");
                map.extend(only);
            }
            last => {
                parts.extend(last);
                map.insert("allOf".to_owned(), Value::Array(parts));
            }
        }
    }
    Value::Object(
        map.into_iter()
            .map(|(key, value)| (key, downgrade(value)))
            .collect(),
    )
}

/// `oneOf` says only that a value is text or a number; v2 has no word for that and calls it text.
fn is_choice_of_types(choice: &Value) -> bool {
    choice.as_array().is_some_and(|parts| {
        parts.iter().all(|part| {
            part.as_object()
                .is_some_and(|map| map.len() == 1 && map.contains_key("type"))
        })
    })
}

fn downgrade_path(mut item: Value) -> Value {
    let Some(map) = item.as_object_mut() else {
        return item;
    };
    for (name, value) in map.iter_mut() {
        if name == "parameters" {
            downgrade_parameters(value);
        } else {
            downgrade_operation(value);
        }
    }
    item
}

fn downgrade_operation(operation: &mut Value) {
    let Some(map) = operation.as_object_mut() else {
        return;
    };
    let body = map.remove("requestBody");
    if let Some(parameters) = map.get_mut("parameters") {
        downgrade_parameters(parameters);
    }
    if let Some((types, schema)) = body.as_ref().and_then(content) {
        map.insert("consumes".to_owned(), json!(types));
        let parameter =
            json!({ "name": "body", "in": "body", "required": true, "schema": downgrade(schema.clone()) });
        if let Some(list) = map.get_mut("parameters").and_then(Value::as_array_mut) {
            list.push(parameter);
        }
    }
    let mut produces = Vec::new();
    for response in map
        .get_mut("responses")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flat_map(Map::values_mut)
    {
        let Some((types, schema)) = content(response).map(|(types, schema)| (types, schema.clone())) else {
            continue;
        };
        produces = types;
        if let Some(response) = response.as_object_mut() {
            response.remove("content");
            response.insert("schema".to_owned(), downgrade(schema));
        }
    }
    if !produces.is_empty() {
        map.insert("produces".to_owned(), json!(produces));
    }
}

/// The media types of a body or an answer, and the schema that they share.
fn content(holder: &Value) -> Option<(Vec<String>, &Value)> {
    let content = holder.get("content")?.as_object()?;
    let schema = content.values().next()?.get("schema")?;
    Some((content.keys().cloned().collect(), schema))
}

fn downgrade_parameters(parameters: &mut Value) {
    for parameter in parameters
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        if let Some(Value::Object(schema)) = parameter.remove("schema") {
            parameter.extend(schema);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_say_what_kubectl_explains() {
        let document = openapi_v2(&[]);
        let pod = &document["definitions"]["io.k8s.api.core.v1.Pod"];
        assert_eq!(
            pod["properties"]["spec"]["$ref"],
            "#/definitions/io.k8s.api.core.v1.PodSpec"
        );
        assert_eq!(
            pod["x-kubernetes-group-version-kind"],
            json!([{ "group": "", "version": "v1", "kind": "Pod" }])
        );
        let containers = &document["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
        let port = &document["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
        assert_eq!(
            (&port["type"], &port["format"]),
            (&json!("string"), &json!("int-or-string"))
        );
    }

    #[test]
    fn what_may_be_anything_has_no_type() {
        let document = openapi_v2(&[]);
        for name in ["JSON", "JSONSchemaPropsOrBool"] {
            let name = format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.{name}");
            let schema = document["definitions"][&name].as_object().unwrap();
            assert!(!schema.contains_key("type"), "{name}: {schema:?}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = openapi_v2(&[]);
        let text = document.to_string();
        assert!(!text.contains("#/components/"));
        for part in text.split("\"#/definitions/").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(document["definitions"].get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn operations_take_bodies_as_parameters() {
        let document = openapi_v2(&[]);
        let create = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments"]["post"];
        let parameters = create["parameters"].as_array().unwrap();
        let body = parameters
            .iter()
            .find(|parameter| parameter["in"] == "body")
            .unwrap();
        assert_eq!(
            body["schema"]["$ref"],
            "#/definitions/io.k8s.api.apps.v1.Deployment"
        );
        assert!(
            parameters
                .iter()
                .any(|parameter| parameter["name"] == "fieldValidation" && parameter["type"] == "string")
        );
        let patch = &document["paths"]["/api/v1/nodes/{name}"]["patch"];
        assert!(
            patch["consumes"]
                .as_array()
                .unwrap()
                .contains(&json!("application/apply-patch+yaml"))
        );
    }
}
