//! Bodies in Kubernetes' protobuf form, as JSON values.
//!
//! kubectl's own commands (`create configmap`, `auth can-i`, ...) send it and know no other way, and so do typed clients
//! that are set up for it. Only reading: answers are JSON, which all of them take. Bytes from outside never panic here, and nesting is bounded.

mod fields;
mod table;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use fields::{Field, Fields};
use table::{Shape, Type};

/// What stands before every body of this form.
const MAGIC: &[u8] = b"k8s\0";
/// Nesting of messages at most: schemas, which nest as deep as they like, reach the bound of JSON first.
const DEPTH: usize = 128;
/// Nesting of JSON at most: the object could not be read again.
const LEVELS: usize = 127;
/// The message that definitions are made of.
const SCHEMA: &str = "apiextensions.v1.JSONSchemaProps";

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// The bytes do not begin as they should.
    #[error("the body is not in Kubernetes' protobuf form")]
    Magic,
    /// A field ends before its length says so, or has an unknown wire type.
    #[error("the protobuf body is damaged")]
    Damaged,
    /// A kind that has no protobuf form here.
    #[error("{0} has no protobuf form here, send JSON")]
    Unknown(String),
    /// More nesting than any object has.
    #[error("the protobuf body is nested too deeply")]
    Deep,
}

/// Reads a body.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, WireError> {
    let envelope = bytes.strip_prefix(MAGIC).ok_or(WireError::Magic)?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Fields::of(envelope) {
        match field? {
            (1, Field::Bytes(names)) => {
                for field in Fields::of(names) {
                    match field? {
                        (1, Field::Bytes(text)) => version = string(text)?,
                        (2, Field::Bytes(text)) => kind = string(text)?,
                        _ => {}
                    }
                }
            }
            (2, Field::Bytes(found)) => raw = found,
            _ => {}
        }
    }
    let name = message_name(&version, &kind);
    let types = table::message(&name).ok_or_else(|| WireError::Unknown(format!("{version} {kind}")))?;
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), Value::String(version));
    object.insert("kind".to_owned(), Value::String(kind));
    fill(&mut object, types, raw, 0)?;
    let object = Value::Object(object);
    if is_deeper(&object, LEVELS) {
        return Err(WireError::Deep);
    }
    Ok(object)
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let left = levels.checked_sub(1);
    let inner = |value: &Value| left.is_none_or(|left| is_deeper(value, left));
    match value {
        Value::Array(list) => left.is_none() || list.iter().any(inner),
        Value::Object(map) => left.is_none() || map.values().any(inner),
        _ => false,
    }
}

/// `rbac.authorization.k8s.io/v1 Role` is the message `rbac.v1.Role`.
fn message_name(version: &str, kind: &str) -> String {
    if kind == "DeleteOptions" {
        // Clients send it under the group of what they delete.
        return "meta.v1.DeleteOptions".to_owned();
    }
    let (group, version) = version.split_once('/').unwrap_or(("core", version));
    format!("{}.{version}.{kind}", group.split('.').next().unwrap_or_default())
}

fn string(bytes: &[u8]) -> Result<String, WireError> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| WireError::Damaged)
}

/// Reads the fields of a message into an object.
fn fill(
    object: &mut Map<String, Value>,
    types: &table::Message,
    bytes: &[u8],
    depth: usize,
) -> Result<(), WireError> {
    if depth > DEPTH {
        return Err(WireError::Deep);
    }
    for field in Fields::of(bytes) {
        let (tag, field) = field?;
        let Some(known) = types.field(tag) else { continue };
        match &known.shape {
            Shape::Inline(name) => {
                let inner = table::message(name).ok_or_else(|| WireError::Unknown(name.clone()))?;
                fill(object, inner, field.bytes()?, depth + 1)?;
            }
            Shape::One(kind) => {
                let found = value(kind, field, depth)?;
                // Raw JSON is only there where somebody has set it, as the empty text that is a default.
                if *kind == Type::Raw && !found.is_null() || !is_unset(&known.name, &found) {
                    object.insert(known.name.clone(), found);
                }
            }
            Shape::Many(kind) => {
                let found = value(kind, field, depth)?;
                if let Value::Array(list) = entry(object, &known.name, Value::Array(Vec::new())) {
                    list.push(found);
                }
            }
            Shape::Map(kind) => {
                let (key, found) = pair(kind, field.bytes()?, depth)?;
                if let Value::Object(map) = entry(object, &known.name, Value::Object(Map::new())) {
                    map.insert(key, found);
                }
            }
        }
    }
    Ok(())
}

fn entry<'a>(object: &'a mut Map<String, Value>, name: &str, empty: Value) -> &'a mut Value {
    object.entry(name.to_owned()).or_insert(empty)
}

fn pair(kind: &Type, bytes: &[u8], depth: usize) -> Result<(String, Value), WireError> {
    let (mut key, mut found) = (String::new(), None);
    for field in Fields::of(bytes) {
        match field? {
            (1, field) => key = string(field.bytes()?)?,
            (2, field) => found = Some(value(kind, field, depth)?),
            _ => {}
        }
    }
    Ok((key, found.unwrap_or_else(|| Value::String(String::new()))))
}

fn value(kind: &Type, field: Field<'_>, depth: usize) -> Result<Value, WireError> {
    Ok(match kind {
        Type::Text => Value::String(string(field.bytes()?)?),
        Type::Bytes => Value::String(STANDARD.encode(field.bytes()?)),
        Type::Bool => Value::Bool(field.integer()? != 0),
        Type::Integer => Value::from(field.integer()?),
        Type::Double => double(field.double()?),
        Type::Time { micros } => time(field.bytes()?, *micros)?,
        Type::Quantity => Value::String(first_text(field.bytes()?)?),
        Type::IntOrString => int_or_string(field.bytes()?)?,
        Type::Raw => raw(field.bytes()?)?,
        Type::Texts => texts(field.bytes()?)?,
        Type::SchemaOrSchemas | Type::SchemaOrBool | Type::SchemaOrTexts => {
            alternative(kind, field.bytes()?, depth)?
        }
        Type::Message(name) => message(name, field.bytes()?, depth)?,
    })
}

fn message(name: &str, bytes: &[u8], depth: usize) -> Result<Value, WireError> {
    let types = table::message(name).ok_or_else(|| WireError::Unknown(name.to_owned()))?;
    let mut object = Map::new();
    fill(&mut object, types, bytes, depth + 1)?;
    Ok(Value::Object(object))
}

/// A schema, or what may stand in its place: a list that is not empty comes first, as in Go.
fn alternative(kind: &Type, bytes: &[u8], depth: usize) -> Result<Value, WireError> {
    let (mut schema, mut list, mut allows) = (None, Vec::new(), false);
    for field in Fields::of(bytes) {
        match (kind, field?) {
            (Type::SchemaOrBool, (1, field)) => allows = field.integer()? != 0,
            (Type::SchemaOrBool, (2, field)) | (_, (1, field)) => {
                schema = Some(message(SCHEMA, field.bytes()?, depth)?);
            }
            (Type::SchemaOrSchemas, (2, field)) => list.push(message(SCHEMA, field.bytes()?, depth)?),
            (Type::SchemaOrTexts, (2, field)) => list.push(Value::String(string(field.bytes()?)?)),
            _ => {}
        }
    }
    if !list.is_empty() {
        return Ok(Value::Array(list));
    }
    Ok(match (schema, kind) {
        (Some(schema), _) => schema,
        (None, Type::SchemaOrBool) => Value::Bool(allows),
        (None, _) => Value::Null,
    })
}

/// Whole numbers are written as such, as Go does.
fn double(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < WHOLE {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number of few digits")]
        return Value::from(number as i64);
    }
    serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// Below it every whole number has a double of its own.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Seconds and nanoseconds since 1970; nothing at all is no time.
fn time(bytes: &[u8], micros: bool) -> Result<Value, WireError> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::of(bytes) {
        match field? {
            (1, field) => seconds = field.integer()?,
            (2, field) => nanos = field.integer()?,
            _ => {}
        }
    }
    if seconds == 0 && nanos == 0 {
        return Ok(Value::Null);
    }
    let nanos = i32::try_from(nanos).map_err(|_| WireError::Damaged)?;
    let found = Timestamp::new(seconds, nanos).map_err(|_| WireError::Damaged)?;
    let format = if micros {
        "%Y-%m-%dT%H:%M:%S.%6fZ"
    } else {
        "%Y-%m-%dT%H:%M:%SZ"
    };
    Ok(Value::String(found.strftime(format).to_string()))
}

fn first_text(bytes: &[u8]) -> Result<String, WireError> {
    for field in Fields::of(bytes) {
        if let (1, field) = field? {
            return string(field.bytes()?);
        }
    }
    Ok(String::new())
}

fn texts(bytes: &[u8]) -> Result<Value, WireError> {
    let mut list = Vec::new();
    for field in Fields::of(bytes) {
        if let (1, field) = field? {
            list.push(Value::String(string(field.bytes()?)?));
        }
    }
    Ok(Value::Array(list))
}

fn int_or_string(bytes: &[u8]) -> Result<Value, WireError> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    for field in Fields::of(bytes) {
        match field? {
            (1, field) => is_text = field.integer()? != 0,
            (2, field) => number = field.integer()?,
            (3, field) => text = string(field.bytes()?)?,
            _ => {}
        }
    }
    Ok(if is_text {
        Value::String(text)
    } else {
        Value::from(number)
    })
}

fn raw(bytes: &[u8]) -> Result<Value, WireError> {
    for field in Fields::of(bytes) {
        if let (1, field) = field? {
            return serde_json::from_slice(field.bytes()?).map_err(|_| WireError::Damaged);
        }
    }
    Ok(Value::Null)
}

/// Fields whose zero is written although nobody set it: Go sends them always, and leaves them out of JSON.
const ZERO_IS_UNSET: &[&str] = &[
    "deprecated",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "failureThreshold",
    "generation",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "initialDelaySeconds",
    "insecureSkipTLSVerify",
    "minReadySeconds",
    "nodePort",
    "nullable",
    "observedGeneration",
    "paused",
    "periodSeconds",
    "port",
    "preserveUnknownFields",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "successThreshold",
    "targetPort",
    "timeoutSeconds",
    "tty",
    "uniqueItems",
    "unschedulable",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
];

/// Whether a value is what JSON would not show.
fn is_unset(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Bool(false) => ZERO_IS_UNSET.contains(&name),
        Value::Number(number) => number.as_i64() == Some(0) && ZERO_IS_UNSET.contains(&name),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
