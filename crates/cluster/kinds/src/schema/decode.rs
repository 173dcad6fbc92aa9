//! Walks over a value and its shape: wrong types, unknown fields, and what a decoder drops.

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::Value;

use super::shape::{Shape, shapes};
use crate::field_error::go_quote;

/// The first value of a wrong type, in the words of Go's decoder.
pub(crate) fn check(shape: &Shape, value: &Value) -> Result<(), String> {
    let mut at = Place {
        of: None,
        path: String::new(),
    };
    at.check(shape, value)
}

/// Where the walk is: the struct and the path of its field, without indexes, as Go tells it.
struct Place {
    of: Option<usize>,
    path: String,
}

impl Place {
    fn check(&mut self, shape: &Shape, value: &Value) -> Result<(), String> {
        match (shape, value) {
            (_, Value::Null)
            | (Shape::Any, _)
            | (Shape::AnyObject, Value::Object(_))
            | (Shape::Text | Shape::IntOrString, Value::String(_))
            | (Shape::Flag, Value::Bool(_))
            | (Shape::Number | Shape::Quantity, Value::Number(_)) => Ok(()),
            (Shape::Bytes, Value::String(text)) => check_base64(text),
            (Shape::Time, Value::String(text)) => check_time(text),
            (Shape::Quantity, Value::String(text)) => check_quantity(text),
            (Shape::Quantity, _) => Err(QUANTITY_FORMAT.to_owned()),
            (Shape::Time, other) => Err(format!(
                "json: cannot unmarshal {} into Go value of type string",
                json_type(other)
            )),
            (Shape::IntOrString, Value::Number(number)) if fits(number.as_i64(), 32) => Ok(()),
            (Shape::IntOrString, other) => Err(format!(
                "json: cannot unmarshal {} into Go value of type int32",
                json_number(other)
            )),
            (Shape::Integer(bits), Value::Number(number)) if fits(number.as_i64(), *bits) => Ok(()),
            (Shape::List(item), Value::Array(items)) => {
                items.iter().try_for_each(|value| self.check(item, value))
            }
            (Shape::Map(item), Value::Object(map)) => {
                map.values().try_for_each(|value| self.check(item, value))
            }
            (Shape::Struct(index) | Shape::StructOr(index), Value::Object(map)) => {
                let known = shapes().get(*index);
                map.iter().try_for_each(|(name, value)| match known.field(name) {
                    Some(field) => self.check_field(*index, name, field, value),
                    None => Ok(()),
                })
            }
            (Shape::StructOr(_), _) => Ok(()),
            (expected, other) => Err(self.mismatch(expected, other)),
        }
    }

    fn check_field(&mut self, of: usize, name: &str, shape: &Shape, value: &Value) -> Result<(), String> {
        let length = self.path.len();
        let before = self.of.replace(of);
        push_name(&mut self.path, name);
        self.check(shape, value)?;
        self.path.truncate(length);
        self.of = before;
        Ok(())
    }

    fn mismatch(&self, expected: &Shape, value: &Value) -> String {
        let wanted = go_type(expected);
        let found = json_number(value);
        match self.of {
            Some(of) => format!(
                "json: cannot unmarshal {found} into Go struct field {}.{} of type {wanted}",
                shapes().get(of).name,
                self.path
            ),
            None => format!("json: cannot unmarshal {found} into Go value of type {wanted}"),
        }
    }
}

fn fits(number: Option<i64>, bits: u8) -> bool {
    match number {
        Some(number) => bits == 64 || i32::try_from(number).is_ok(),
        None => false,
    }
}

fn go_type(shape: &Shape) -> String {
    match shape {
        Shape::Text => "string".to_owned(),
        Shape::Bytes => "[]uint8".to_owned(),
        Shape::Time => "v1.Time".to_owned(),
        Shape::Flag => "bool".to_owned(),
        Shape::Integer(bits) => format!("int{bits}"),
        Shape::Number => "float64".to_owned(),
        Shape::Quantity => "resource.Quantity".to_owned(),
        Shape::IntOrString => "intstr.IntOrString".to_owned(),
        Shape::Any => "interface {}".to_owned(),
        Shape::AnyObject => "map[string]interface {}".to_owned(),
        Shape::List(item) => format!("[]{}", go_type(item)),
        Shape::Map(item) => format!("map[string]{}", go_type(item)),
        Shape::Struct(index) | Shape::StructOr(index) => format!("v1.{}", shapes().get(*index).name),
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A number that does not fit is shown, other values only by their type.
fn json_number(value: &Value) -> String {
    match value {
        Value::Number(number) if !fits(number.as_i64(), 32) => format!("number {number}"),
        other => json_type(other).to_owned(),
    }
}

fn check_base64(text: &str) -> Result<(), String> {
    let packed: String = text
        .chars()
        .filter(|character| !matches!(character, '\n' | '\r'))
        .collect();
    let offset = match base64::engine::general_purpose::STANDARD.decode(&packed) {
        Ok(_) => return Ok(()),
        Err(
            base64::DecodeError::InvalidByte(offset, _) | base64::DecodeError::InvalidLastSymbol(offset, _),
        ) => offset,
        Err(base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding) => {
            packed.len() - packed.len() % 4
        }
    };
    Err(format!("illegal base64 data at input byte {offset}"))
}

/// apimachinery's `resource.ErrFormatWrong`.
pub(crate) const QUANTITY_FORMAT: &str =
    r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

fn check_quantity(text: &str) -> Result<(), String> {
    match text.parse::<toolforge_model::Quantity>() {
        Ok(_) => Ok(()),
        Err(_) => Err(QUANTITY_FORMAT.to_owned()),
    }
}

fn check_time(text: &str) -> Result<(), String> {
    if text.parse::<jiff::Timestamp>().is_ok() {
        return Ok(());
    }
    let shown = go_quote(text);
    Err(format!(
        "parsing time {shown} as \"2006-01-02T15:04:05Z07:00\": cannot parse {shown} as \"2006\""
    ))
}

fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

/// Collects the paths of fields that are not in the shape.
pub(crate) fn unknown(shape: &Shape, value: &Value, path: &mut String, found: &mut Vec<String>) {
    let length = path.len();
    match (shape, value) {
        (Shape::Struct(index) | Shape::StructOr(index), Value::Object(map)) => {
            let known = shapes().get(*index);
            for (name, value) in map {
                push_name(path, name);
                match known.field(name) {
                    Some(field) => unknown(field, value, path, found),
                    None => found.push(format!("unknown field \"{path}\"")),
                }
                path.truncate(length);
            }
        }
        (Shape::List(item), Value::Array(items)) => {
            for (at, value) in items.iter().enumerate() {
                // Writing into a String cannot fail.
                let _ = write!(path, "[{at}]");
                unknown(item, value, path, found);
                path.truncate(length);
            }
        }
        (Shape::Map(item), Value::Object(map)) => {
            for (name, value) in map {
                push_name(path, name);
                unknown(item, value, path, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// Drops nulls and unknown fields, and writes quantities as Kubernetes does.
pub(crate) fn prune(shape: &Shape, value: &mut Value) {
    match (shape, value) {
        (Shape::Struct(index) | Shape::StructOr(index), Value::Object(map)) => {
            let known = shapes().get(*index);
            map.retain(|name, value| match known.field(name) {
                Some(field) if !value.is_null() => {
                    prune(field, value);
                    true
                }
                Some(_) | None => false,
            });
        }
        // A number may stand for a quantity in a body, but objects always show text, in its canonical form.
        (Shape::Quantity, value) => {
            if let Some(amount) = crate::quantity::read(value) {
                *value = amount.to_string().into();
            }
        }
        (Shape::List(item), Value::Array(items)) => {
            for value in items {
                prune_item(item, value);
            }
        }
        (Shape::Map(item), Value::Object(map)) => {
            for value in map.values_mut() {
                prune_item(item, value);
            }
        }
        _ => {}
    }
}

/// A null in a list or map is what Go calls the zero value of its type.
fn prune_item(shape: &Shape, value: &mut Value) {
    if value.is_null() {
        *value = match shape {
            Shape::Text | Shape::Bytes => "".into(),
            Shape::Flag => false.into(),
            Shape::Integer(_) | Shape::Number | Shape::IntOrString => 0.into(),
            Shape::Quantity => "0".into(),
            Shape::Struct(_) | Shape::Map(_) | Shape::AnyObject => serde_json::json!({}),
            Shape::List(_) => serde_json::json!([]),
            Shape::Time | Shape::Any | Shape::StructOr(_) => Value::Null,
        };
    }
    prune(shape, value);
}
