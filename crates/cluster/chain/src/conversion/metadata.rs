//! What a conversion may do to metadata: change labels and annotations, and nothing else.
//!
//! Another name, namespace or uid is refused; all other metadata is put back without a word, as in Kubernetes.

use serde_json::{Map, Value};
use toolforge_kinds::{FieldError, validate_annotations, validate_labels};

use super::review::text;

/// The metadata that names the object.
const IDENTITY: &[(&str, &str)] = &[("name", "name"), ("namespace", "namespace"), ("uid", "UID")];

/// What is wrong with a map of metadata.
type Check = fn(&Value) -> Vec<FieldError>;

/// The metadata that belongs to the webhook as well.
const SHARED: &[(&str, Check)] = &[("labels", validate_labels), ("annotations", validate_annotations)];

/// The converted object must be the same object.
pub(super) fn check_identity(original: &Value, converted: &Value) -> Result<(), String> {
    let part = |object: &Value, field: &str| {
        object
            .get("metadata")
            .map(|metadata| text(metadata, field).to_owned())
            .unwrap_or_default()
    };
    for (field, word) in IDENTITY {
        let (was, is) = (part(original, field), part(converted, field));
        if was != is {
            return Err(format!("must have the same {word}: {was} != {is}"));
        }
    }
    Ok(())
}

/// Puts the metadata of the original back, but for labels and annotations.
pub(super) fn restore(original: &Value, converted: &mut Value) -> Result<(), String> {
    let found = converted
        .get_mut("metadata")
        .ok_or("missing metadata in converted object")?;
    let given = match found.take() {
        Value::Object(given) => given,
        other => {
            let sort = sort_of(&other);
            return Err(format!("invalid metadata of type {sort} in converted object"));
        }
    };
    let mut kept = original
        .get("metadata")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for (field, check) in SHARED {
        match given.get(*field) {
            None | Some(Value::Null) => drop(kept.remove(*field)),
            Some(Value::Object(map)) => {
                check_map(field, map)?;
                let value = Value::Object(map.clone());
                if kept.get(*field) != Some(&value) {
                    refuse(&check(&value))?;
                }
                kept.insert((*field).to_owned(), value);
            }
            Some(other) => {
                let sort = sort_of(other);
                return Err(format!(
                    "invalid metadata.{field} of type {sort} in converted object"
                ));
            }
        }
    }
    *found = Value::Object(kept);
    Ok(())
}

fn check_map(field: &str, map: &Map<String, Value>) -> Result<(), String> {
    match map.iter().find(|(_, value)| !value.is_string()) {
        None => Ok(()),
        Some((key, value)) => Err(format!(
            "metadata.{field}[{key}] must be a string, but is {} in converted object",
            sort_of(value)
        )),
    }
}

fn refuse(problems: &[FieldError]) -> Result<(), String> {
    match problems {
        [] => Ok(()),
        [only] => Err(only.to_string()),
        several => {
            let all: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(format!("[{}]", all.join(", ")))
        }
    }
}

/// The type of a value as Go's decoder of JSON names it.
fn sort_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
