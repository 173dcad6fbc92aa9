//! Draws the table from what the types say of themselves, and holds the one that is there against it.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::{TABLE, read};
use crate::definitions::{Definitions, definitions, reference};

/// Set, the table is written anew.
const WRITE: &str = "TOOLFORGE_WRITE_SHAPES";

const HEAD: &str = "\
# The structures of Kubernetes' types: which fields there are, and of what type. Drawn from the types of k8s-openapi, without
# their texts, by `cargo xtask gen`; do not edit.
# A line is a structure and its fields, or a kind and its structure. Types: s text, y base64, t time, b flag, i and l whole
# numbers of 32 and 64 bits, d number, q quantity, p whole number or text, a anything, o any object, *X list of X,
# %X texts to X, ~X a structure or something else, or the name of a structure.
";

#[test]
fn the_table_of_shapes_is_what_the_types_say() {
    let drawn = draw(&definitions(|_, _| true));
    if std::env::var_os(WRITE).is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema/shapes.txt");
        return std::fs::write(path, &drawn).unwrap();
    }
    assert_eq!(
        drawn
            .lines()
            .find(|line| !TABLE.lines().any(|known| known == *line)),
        None,
        "the types have changed: cargo xtask gen"
    );
    assert!(drawn == TABLE, "shapes.txt has more than the types say");
}

#[test]
fn all_that_shapes_name_is_there() {
    let shapes = read(TABLE);
    let names: HashSet<&str> = TABLE.lines().map(|line| super::word(line).0).collect();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        for (_, shape) in line.split(' ').filter_map(|field| field.split_once(':')) {
            let name = shape.trim_start_matches(['*', '%', '~']);
            assert!(name.len() == 1 || names.contains(name), "{name}");
        }
    }
    for kind in crate::all() {
        assert!(
            shapes.root(kind.group, kind.version, kind.kind).is_some(),
            "{}",
            kind.kind
        );
    }
}

fn draw(definitions: &Definitions) -> String {
    let structs: BTreeMap<&str, &Value> = definitions
        .schemas
        .iter()
        .map(|(name, schema)| (short(name), schema))
        .collect();
    assert_eq!(structs.len(), definitions.schemas.len(), "two names became one");
    let mut table = HEAD.to_owned();
    for (name, schema) in structs {
        table.push_str(name);
        let properties = schema.get("properties").and_then(Value::as_object);
        for (field, shape) in fields(properties, definitions) {
            write!(table, " {field}:{shape}").unwrap();
        }
        table.push('\n');
    }
    for ((group, version, kind), name) in &definitions.roots {
        writeln!(table, "kind {group}/{version} {kind} {}", short(name)).unwrap();
    }
    table
}

/// `core.v1.PodSpec` for `io.k8s.api.core.v1.PodSpec`.
fn short(name: &str) -> &str {
    let start = name.rmatch_indices('.').nth(2).map_or(0, |(at, _)| at + 1);
    &name[start..]
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn fields<'a>(
    properties: Option<&'a Map<String, Value>>,
    definitions: &Definitions,
) -> BTreeMap<&'a str, String> {
    let properties = properties.into_iter().flatten();
    properties
        .map(|(name, schema)| (name.as_str(), shape(schema, definitions)))
        .collect()
}

fn shape(schema: &Value, definitions: &Definitions) -> String {
    if let Some(name) = reference(schema) {
        return named(name, definitions);
    }
    let word = |key| schema.get(key).and_then(Value::as_str).unwrap_or_default();
    let letter = match (word("type"), word("format")) {
        ("string", "byte") => "y",
        ("string", "date-time") => "t",
        ("string", _) => "s",
        ("boolean", _) => "b",
        ("integer", "int64") => "l",
        ("integer", _) => "i",
        ("number", _) => "d",
        ("array", _) => {
            let item = schema.get("items").map(|items| shape(items, definitions));
            return format!("*{}", item.as_deref().unwrap_or("a"));
        }
        ("object", _) => match schema.get("additionalProperties") {
            Some(values) => return format!("%{}", shape(values, definitions)),
            None => "o",
        },
        _ => "a",
    };
    letter.to_owned()
}

fn named(name: &str, definitions: &Definitions) -> String {
    match last_part(name) {
        "Quantity" => return "q".to_owned(),
        "IntOrString" => return "p".to_owned(),
        "Time" | "MicroTime" => return "t".to_owned(),
        "JSON" => return "a".to_owned(),
        "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrBool" | "JSONSchemaPropsOrStringArray" => {
            let inner = name.rsplit_once("Or").map(|(inner, _)| inner);
            let known = inner.filter(|inner| definitions.schemas.contains_key(*inner));
            return known.map_or_else(|| "a".to_owned(), |inner| format!("~{}", short(inner)));
        }
        _ => {}
    }
    let Some(schema) = definitions.schemas.get(name) else {
        return "a".to_owned();
    };
    let is_object = || schema.get("type").and_then(Value::as_str) == Some("object");
    let is_struct = schema.get("properties").is_some() || (!is_open(name) && is_object());
    // An object without fields of its own, such as FieldsV1 or RawExtension, is what its schema says.
    if is_struct {
        short(name).to_owned()
    } else {
        shape(schema, definitions)
    }
}

/// Types that hold whatever they are given.
fn is_open(name: &str) -> bool {
    matches!(last_part(name), "FieldsV1" | "RawExtension")
}
