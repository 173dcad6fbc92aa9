//! Checks objects against a structural schema, with the messages and paths of Kubernetes' validator.
//!
//! What an update leaves as it was is not held against it: a schema may have become stricter since.

use serde_json::{Map, Value};

use super::schema::{Schema, Type};
use crate::FieldError;
use crate::field_error::go_quote;

/// Where Kubernetes' validator reports alternatives: at no field.
const NOWHERE: &str = "<nil>";

/// What an object breaks; the metadata is somebody else's.
pub(crate) fn root(schema: &Schema, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    value(schema, new, old, "", &mut errors);
    errors
}

/// Checks a value.
pub(crate) fn value(
    schema: &Schema,
    new: &Value,
    old: Option<&Value>,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    if old == Some(new) && !path.is_empty() {
        return;
    }
    check_type(schema, new, path, errors);
    if new.is_null() {
        return;
    }
    alternatives(schema, new, path, errors);
    schema.limits.check(new, path, errors);
    match new {
        Value::Object(map) => fields(schema, map, old, path, errors),
        Value::Array(items) => {
            let Some(of) = &schema.items else { return };
            for (index, item) in items.iter().enumerate() {
                let before = super::lists::same_item(schema, item, old);
                value(of, item, before, &format!("{path}[{index}]"), errors);
            }
        }
        _ => {}
    }
}

fn fields(
    schema: &Schema,
    map: &Map<String, Value>,
    old: Option<&Value>,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    for name in &schema.limits.required {
        if !map.contains_key(name) {
            errors.push(FieldError::required(&join(path, name), ""));
        }
    }
    for (name, value_of) in map {
        if path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind") {
            continue;
        }
        if let Some(field) = schema.field(name) {
            let before = old.and_then(|old| old.get(name));
            value(field, value_of, before, &join(path, name), errors);
        }
    }
}

/// `spec.foo` of `spec` and `foo`.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn check_type(schema: &Schema, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let wanted = match (schema.int_or_string, schema.kind) {
        (true, _) => "integer,string",
        (false, Some(kind)) => kind.name(),
        (false, None) => return,
    };
    let fits = match value {
        Value::Null => schema.nullable,
        Value::Bool(_) => schema.kind == Some(Type::Flag),
        Value::String(_) => schema.int_or_string || schema.kind == Some(Type::Text),
        Value::Array(_) => schema.kind == Some(Type::Array),
        Value::Object(_) => schema.kind == Some(Type::Object),
        Value::Number(number) => match schema.kind {
            Some(Type::Number) => true,
            Some(Type::Integer) => is_whole(number),
            _ => schema.int_or_string && is_whole(number),
        },
    };
    if !fits {
        let found = type_of(value);
        let detail = format!("{path} in body must be of type {wanted}: {}", go_quote(found));
        errors.push(FieldError::invalid(path, found, &detail));
    }
}

fn is_whole(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if is_whole(number) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `allOf`, `anyOf`, `oneOf` and `not`.
fn alternatives(schema: &Schema, new: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let against = |schema: &Schema| {
        let mut found = Vec::new();
        value(schema, new, None, path, &mut found);
        found
    };
    let mut refuse = |what: &str, found: Vec<FieldError>| {
        errors.push(FieldError::invalid(
            NOWHERE,
            "",
            &format!("{} {what}", go_quote(path)),
        ));
        errors.extend(found);
    };
    let all: Vec<FieldError> = schema.all_of.iter().flat_map(&against).collect();
    if !all.is_empty() {
        refuse("must validate all the schemas (allOf)", all);
    }
    if !schema.any_of.is_empty() {
        let mut found: Vec<Vec<FieldError>> = schema.any_of.iter().map(&against).collect();
        if !found.iter().any(Vec::is_empty) {
            // The alternative that comes closest explains best.
            found.sort_by_key(Vec::len);
            refuse(
                "must validate at least one schema (anyOf)",
                found.into_iter().next().unwrap_or_default(),
            );
        }
    }
    if !schema.one_of.is_empty() {
        let mut found: Vec<Vec<FieldError>> = schema.one_of.iter().map(&against).collect();
        let valid = found.iter().filter(|found| found.is_empty()).count();
        found.sort_by_key(Vec::len);
        match valid {
            0 => refuse(
                "must validate one and only one schema (oneOf). Found none valid",
                found.into_iter().next().unwrap_or_default(),
            ),
            1 => {}
            many => refuse(
                &format!("must validate one and only one schema (oneOf). Found {many} valid alternatives"),
                Vec::new(),
            ),
        }
    }
    if let Some(not) = &schema.not
        && against(not).is_empty()
    {
        refuse("must not validate the schema (not)", Vec::new());
    }
}
