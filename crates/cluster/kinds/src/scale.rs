//! `autoscaling/v1 Scale`: the number of replicas of a Deployment, `ReplicaSet` or `StatefulSet`, seen apart.

use serde_json::{Value, json};

use crate::value::{Read as _, int_at, text_at};
use crate::{FieldError, Kind};

/// The Scale of an object; `None` where the kind has no replicas.
pub fn of(kind: &Kind, object: &Value) -> Option<Value> {
    if !kind.has(crate::Subresource::Scale) {
        return None;
    }
    let mut metadata = json!({});
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.at(&["metadata", key]) {
            metadata[key] = value.clone();
        }
    }
    let mut status = json!({ "replicas": int_at(object, &["status", "replicas"]).unwrap_or(0) });
    if let Some(selector) = object.at(&["spec", "selector"]) {
        status["selector"] = selector_text(selector).into();
    }
    Some(json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": { "replicas": int_at(object, &["spec", "replicas"]).unwrap_or(0) },
        "status": status,
    }))
}

/// What is wrong with a Scale that a client wrote.
pub fn validate(scale: &Value) -> Vec<FieldError> {
    let replicas = int_at(scale, &["spec", "replicas"]).unwrap_or(0);
    let mut errors = Vec::new();
    if text_at(scale, &["metadata", "name"]).is_empty() {
        errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        ));
    }
    if replicas < 0 {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid("spec.replicas", replicas, detail));
    }
    errors
}

/// The object with the number of replicas that a Scale asks for.
pub fn apply(object: &Value, scale: &Value) -> Value {
    let mut object = object.clone();
    if object.get("spec").is_some_and(Value::is_object) {
        object["spec"]["replicas"] = int_at(scale, &["spec", "replicas"]).unwrap_or(0).into();
    }
    object
}

/// A label selector as the text of a query, such as `app=a,tier in (x,y)`; empty selects all.
pub(crate) fn selector_text(selector: &Value) -> String {
    let mut parts: Vec<String> = selector
        .map("matchLabels")
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    parts.sort();
    for expression in selector.list("matchExpressions") {
        let key = expression.text("key");
        let mut values: Vec<&str> = expression
            .list("values")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        values.sort_unstable();
        let values = values.join(",");
        parts.push(match expression.text("operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        });
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_and_sets_the_replicas() {
        let kind = crate::by_kind("apps", "v1", "Deployment").unwrap();
        let object = json!({
            "metadata": {"name": "a", "namespace": "n", "labels": {"x": "y"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"b": "2", "a": "1"},
                "matchExpressions": [{"key": "k", "operator": "In", "values": ["y", "x"]}]}},
            "status": {"replicas": 1},
        });
        let mut scale = of(kind, &object).unwrap();
        assert_eq!(scale["spec"]["replicas"], 2);
        assert_eq!(
            scale["status"],
            json!({"replicas": 1, "selector": "a=1,b=2,k in (x,y)"})
        );
        assert_eq!(scale["metadata"], json!({"name": "a", "namespace": "n"}));
        scale["spec"]["replicas"] = 5.into();
        assert!(validate(&scale).is_empty());
        assert_eq!(apply(&object, &scale)["spec"]["replicas"], 5);
        scale["spec"]["replicas"] = (-1).into();
        assert_eq!(
            validate(&scale)[0].to_string(),
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0"
        );
    }
}
