//! The compact form of the schemas: about half a megabyte for all kinds, made once, when it is first asked for.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::definitions::{Definitions, Place, definitions, reference};

/// The type of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Text.
    Text,
    /// Base64.
    Bytes,
    /// RFC 3339, to the second or the microsecond.
    Time,
    /// A flag.
    Flag,
    /// A whole number of so many bits.
    Integer(u8),
    /// Any number.
    Number,
    /// A Kubernetes quantity: text or number.
    Quantity,
    /// A port or percentage: text or whole number.
    IntOrString,
    /// Anything; what is inside is not looked at.
    Any,
    /// Any object; what is inside is not looked at.
    AnyObject,
    /// A list of one type.
    List(Box<Shape>),
    /// Texts to values of one type.
    Map(Box<Shape>),
    /// An object with known fields.
    Struct(usize),
    /// The same, or something that is no object.
    StructOr(usize),
}

/// An object with known fields.
#[derive(Debug)]
pub(crate) struct Struct {
    /// Name of the Go type, such as `PodSpec`.
    pub(crate) name: Box<str>,
    /// Field names and types, sorted by name.
    fields: Box<[(Box<str>, Shape)]>,
}

impl Struct {
    /// The type of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Shape> {
        let index = self
            .fields
            .binary_search_by(|(field, _)| field.as_ref().cmp(name))
            .ok()?;
        Some(&self.fields[index].1)
    }
}

/// All structures.
#[derive(Debug)]
pub(crate) struct Shapes {
    structs: Vec<Struct>,
    roots: HashMap<Place, usize>,
}

impl Shapes {
    /// The structure of a kind.
    pub(crate) fn root(&self, group: &str, version: &str, kind: &str) -> Option<Shape> {
        let roots: &HashMap<(&str, &str, &str), usize> = &self.roots;
        roots.get(&(group, version, kind)).copied().map(Shape::Struct)
    }

    /// The structure with a number that a [`Shape::Struct`] holds.
    pub(crate) fn get(&self, index: usize) -> &Struct {
        &self.structs[index]
    }
}

/// The structures of all kinds.
pub(crate) fn shapes() -> &'static Shapes {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    SHAPES.get_or_init(|| build(&definitions(|_, _| true)))
}

fn build(definitions: &Definitions) -> Shapes {
    let names: Vec<&String> = definitions.schemas.keys().collect();
    let index: HashMap<&str, usize> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (name.as_str(), at))
        .collect();
    let structs = definitions
        .schemas
        .iter()
        .map(|(name, schema)| Struct {
            name: last_part(name).into(),
            fields: fields(
                schema.get("properties").and_then(Value::as_object),
                definitions,
                &index,
            ),
        })
        .collect();
    let roots = definitions
        .roots
        .iter()
        .filter_map(|(place, name)| Some((*place, *index.get(name.as_str())?)))
        .collect();
    Shapes { structs, roots }
}

fn fields(
    properties: Option<&Map<String, Value>>,
    definitions: &Definitions,
    index: &HashMap<&str, usize>,
) -> Box<[(Box<str>, Shape)]> {
    let mut fields: Vec<(Box<str>, Shape)> = properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.as_str().into(), shape(schema, definitions, index)))
        .collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.into_boxed_slice()
}

fn shape(schema: &Value, definitions: &Definitions, index: &HashMap<&str, usize>) -> Shape {
    if let Some(name) = reference(schema) {
        return named_shape(name, definitions, index);
    }
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    match (kind, format) {
        ("string", "byte") => Shape::Bytes,
        ("string", "date-time") => Shape::Time,
        ("string", _) => Shape::Text,
        ("boolean", _) => Shape::Flag,
        ("integer", "int64") => Shape::Integer(64),
        ("integer", _) => Shape::Integer(32),
        ("number", _) => Shape::Number,
        ("array", _) => Shape::List(Box::new(
            schema
                .get("items")
                .map_or(Shape::Any, |items| shape(items, definitions, index)),
        )),
        ("object", _) => match schema.get("additionalProperties") {
            Some(values) => Shape::Map(Box::new(shape(values, definitions, index))),
            None => Shape::AnyObject,
        },
        _ => Shape::Any,
    }
}

fn named_shape(name: &str, definitions: &Definitions, index: &HashMap<&str, usize>) -> Shape {
    match last_part(name) {
        "Quantity" => return Shape::Quantity,
        "IntOrString" => return Shape::IntOrString,
        "Time" | "MicroTime" => return Shape::Time,
        "JSON" => return Shape::Any,
        "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrBool" | "JSONSchemaPropsOrStringArray" => {
            let inner = name.rsplit_once("Or").and_then(|(inner, _)| index.get(inner));
            return inner.map_or(Shape::Any, |at| Shape::StructOr(*at));
        }
        _ => {}
    }
    let Some(schema) = definitions.schemas.get(name) else {
        return Shape::Any;
    };
    match index.get(name) {
        Some(at) if schema.get("properties").is_some() => Shape::Struct(*at),
        // An object without fields of its own, such as FieldsV1, RawExtension, or a plain empty struct.
        _ if is_open(name) => shape(schema, definitions, index),
        Some(at) if schema.get("type").and_then(Value::as_str) == Some("object") => Shape::Struct(*at),
        _ => shape(schema, definitions, index),
    }
}

/// Types that hold whatever they are given.
fn is_open(name: &str) -> bool {
    matches!(last_part(name), "FieldsV1" | "RawExtension")
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
