//! Takes fields away that a structural schema does not have.

use std::fmt::Write as _;

use serde_json::Value;

use super::schema::Schema;

/// What every object has, whatever its schema says.
const OF_OBJECTS: &[&str] = &["apiVersion", "kind", "metadata"];

/// Prunes an object of a kind; tells what went as `unknown field "spec.foo"`.
pub(crate) fn root(schema: &Schema, object: &mut Value, unknown: &mut Vec<String>) {
    prune(schema, object, true, &mut String::new(), unknown);
}

/// Prunes a value.
pub(crate) fn value(schema: &Schema, object: &mut Value, unknown: &mut Vec<String>) {
    prune(schema, object, schema.embedded, &mut String::new(), unknown);
}

fn prune(schema: &Schema, value: &mut Value, is_object: bool, path: &mut String, unknown: &mut Vec<String>) {
    let length = path.len();
    match value {
        Value::Object(map) => map.retain(|name, value| {
            if is_object && OF_OBJECTS.contains(&name.as_str()) {
                return true;
            }
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
            let stays = match schema.field(name) {
                Some(field) => {
                    prune(field, value, field.embedded, path, unknown);
                    true
                }
                None if schema.preserves => true,
                None => {
                    unknown.push(format!("unknown field \"{path}\""));
                    false
                }
            };
            path.truncate(length);
            stays
        }),
        Value::Array(items) => {
            let Some(of) = &schema.items else { return };
            for (index, item) in items.iter_mut().enumerate() {
                // Writing into a String cannot fail.
                let _ = write!(path, "[{index}]");
                prune(of, item, of.embedded, path, unknown);
                path.truncate(length);
            }
        }
        _ => {}
    }
}
