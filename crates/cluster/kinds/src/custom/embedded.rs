//! Metadata: that of the object itself, and that of objects within it (`x-kubernetes-embedded-resource`).

use serde_json::{Value, json};

use super::schema::Schema;
use super::validate::join;
use crate::kind::Kind;
use crate::value::Read as _;
use crate::{FieldError, Mistyped, registry};

/// Checks the types of the metadata as a decoder does, and takes unknown fields away.
pub(crate) fn decode_metadata(kind: &Kind, object: &mut Value) -> Result<Vec<String>, Mistyped> {
    let Some(metadata) = object.get_mut("metadata") else {
        return Ok(Vec::new());
    };
    // Every kind has the same metadata; this one has little else.
    let Some(plain) = registry::by_kind("", "v1", "ConfigMap") else {
        return Ok(Vec::new());
    };
    let mut holder = json!({ "metadata": metadata.take() });
    let unknown = crate::schema::decode(plain, &mut holder).map_err(|found| found.of_kind(kind))?;
    *metadata = holder["metadata"].take();
    if metadata.is_null() {
        *metadata = json!({});
    }
    Ok(unknown)
}

/// Objects within an object say what they are.
pub(crate) fn check(schema: &Schema, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(map) => {
            if schema.embedded {
                for field in ["apiVersion", "kind"] {
                    if value.text(field).is_empty() {
                        errors.push(FieldError::required(&join(path, field), "must not be empty"));
                    }
                }
            }
            for (name, value) in map {
                if let Some(field) = schema.field(name) {
                    check(field, value, &join(path, name), errors);
                }
            }
        }
        Value::Array(items) => {
            let Some(of) = &schema.items else { return };
            for (index, item) in items.iter().enumerate() {
                check(of, item, &format!("{path}[{index}]"), errors);
            }
        }
        _ => {}
    }
}
