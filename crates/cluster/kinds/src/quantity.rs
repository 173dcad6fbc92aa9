//! Quantities as they stand in objects: text, or a bare number that a body may have instead.

use serde_json::Value;
use toolforge_model::Quantity;

/// The amount that a value says, if it says one.
pub(crate) fn read(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}
