//! Lists whose items are told apart: no two of a set or map are the same.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::schema::{Items, Schema};
use super::validate::join;
use crate::FieldError;

/// Reports each item that repeats another one.
pub(crate) fn check(
    schema: &Schema,
    new: &Value,
    old: Option<&Value>,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    if old == Some(new) {
        return;
    }
    match new {
        Value::Object(map) => {
            for (name, value) in map {
                if let Some(field) = schema.field(name) {
                    check(
                        field,
                        value,
                        old.and_then(|old| old.get(name)),
                        &join(path, name),
                        errors,
                    );
                }
            }
        }
        Value::Array(items) => {
            let mut seen = HashSet::new();
            for (index, item) in items.iter().enumerate() {
                let place = format!("{path}[{index}]");
                if let Some(key) = key(schema, item)
                    && !seen.insert(key.to_string())
                {
                    errors.push(FieldError::duplicate(&place, key));
                }
                if let Some(of) = &schema.items {
                    check(of, item, None, &place, errors);
                }
            }
        }
        _ => {}
    }
}

/// What tells an item from others; `None` in a list that is one value.
fn key(schema: &Schema, item: &Value) -> Option<Value> {
    match &schema.list {
        Items::Atomic => None,
        Items::Set => Some(item.clone()),
        Items::Map(names) => {
            let mut key = Map::new();
            for name in names {
                let default = || schema.items.as_deref()?.properties.get(name)?.default.clone();
                if let Some(value) = item.get(name).cloned().or_else(default) {
                    key.insert(name.clone(), value);
                }
            }
            Some(Value::Object(key))
        }
    }
}

/// The item of the old list that an item of the new one stands for.
pub(crate) fn same_item<'a>(schema: &Schema, item: &Value, old: Option<&'a Value>) -> Option<&'a Value> {
    let Items::Map(_) = schema.list else { return None };
    let wanted = key(schema, item)?;
    old?.as_array()?
        .iter()
        .find(|before| key(schema, before).as_ref() == Some(&wanted))
}
