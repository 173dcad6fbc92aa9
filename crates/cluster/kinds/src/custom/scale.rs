//! `autoscaling/v1 Scale` of custom kinds: where its numbers are is said by their definition.

use serde_json::{Map, Value, json};

use super::json_path::JsonPath;
use crate::value::{Read as _, int_at};

/// The paths of a version's scale subresource.
#[derive(Debug)]
pub(crate) struct ScalePaths {
    wanted: Option<JsonPath>,
    found: Option<JsonPath>,
    selector: Option<JsonPath>,
}

impl ScalePaths {
    /// Reads `subresources.scale`.
    pub(crate) fn of(scale: &Value) -> Self {
        let path = |field: &str| {
            let text = scale.text(field);
            if text.is_empty() {
                None
            } else {
                JsonPath::parse(text).ok()
            }
        };
        Self {
            wanted: path("specReplicasPath"),
            found: path("statusReplicasPath"),
            selector: path("labelSelectorPath"),
        }
    }
}

/// The Scale of an object.
pub(crate) fn of(paths: &ScalePaths, object: &Value) -> Value {
    let at = |path: &Option<JsonPath>| path.as_ref().and_then(|path| path.first(object)).cloned();
    let number = |path: &Option<JsonPath>| at(path).and_then(|number| number.as_i64()).unwrap_or(0);
    let mut metadata = json!({});
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.at(&["metadata", key]) {
            metadata[key] = value.clone();
        }
    }
    let mut status = json!({ "replicas": number(&paths.found) });
    if let Some(Value::String(selector)) = at(&paths.selector) {
        status["selector"] = selector.into();
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": { "replicas": number(&paths.wanted) },
        "status": status,
    })
}

/// Sets the number of replicas that a Scale asks for.
pub(crate) fn apply(paths: &ScalePaths, object: &mut Value, scale: &Value) {
    let Some(names) = paths.wanted.as_ref().and_then(JsonPath::names) else {
        return;
    };
    let Some((last, before)) = names.split_last() else {
        return;
    };
    let mut place = object;
    for name in before {
        let Some(map) = place.as_object_mut() else { return };
        place = map.entry(*name).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(map) = place.as_object_mut() {
        map.insert(
            (*last).to_owned(),
            int_at(scale, &["spec", "replicas"]).unwrap_or(0).into(),
        );
    }
}
