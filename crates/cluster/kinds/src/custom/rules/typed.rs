//! JSON as rules see it: with the types and the names that the schema says.

use serde_json::Value;
use toolforge_cel::Value as CelValue;

use crate::custom::format;
use crate::custom::schema::{Schema, Type};

/// Words of the language, which cannot be names of fields as they are.
const KEYWORDS: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// The value of an object's field, or of an object itself.
pub(super) fn value(schema: &Schema, value: &Value, is_object: bool) -> CelValue {
    match (value, schema.kind) {
        (Value::Object(map), _) if !schema.properties.is_empty() || is_object || schema.embedded => {
            let mut fields: Vec<(String, CelValue)> = schema
                .properties
                .iter()
                .filter_map(|(name, field)| Some((escape(name), self::value(field, map.get(name)?, false))))
                .collect();
            if is_object || schema.embedded {
                fields.retain(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind" | "metadata"));
                fields.extend(of_object(value));
            }
            CelValue::map(fields.iter().map(|(name, value)| (name.as_str(), value.clone())))
        }
        (Value::Object(map), _) => match &schema.additional {
            Some(of) => CelValue::map(
                map.iter()
                    .map(|(name, value)| (name.as_str(), self::value(of, value, false))),
            ),
            None => CelValue::from_json(value),
        },
        (Value::Array(items), _) => match &schema.items {
            Some(of) => CelValue::list(items.iter().map(|item| self::value(of, item, false)).collect()),
            None => CelValue::from_json(value),
        },
        (Value::Number(number), Some(Type::Number)) => CelValue::Double(number.as_f64().unwrap_or(f64::NAN)),
        (Value::String(text), Some(Type::Text)) => text_of(schema.limits.format(), text),
        _ => CelValue::from_json(value),
    }
}

/// Of every object a rule sees what it is and its name.
fn of_object(object: &Value) -> Vec<(String, CelValue)> {
    let mut fields = Vec::new();
    for name in ["apiVersion", "kind"] {
        if let Some(text) = object.get(name) {
            fields.push((name.to_owned(), CelValue::from_json(text)));
        }
    }
    if let Some(metadata) = object.get("metadata") {
        let names = ["name", "generateName"];
        let known = names
            .iter()
            .filter_map(|name| Some((*name, CelValue::from_json(metadata.get(*name)?))));
        fields.push(("metadata".to_owned(), CelValue::map(known)));
    }
    fields
}

fn text_of(format: &str, text: &str) -> CelValue {
    let plain = || CelValue::text(text);
    match format {
        "date-time" => text.parse().map_or_else(|_| plain(), CelValue::Timestamp),
        "date" => format!("{text}T00:00:00Z")
            .parse()
            .map_or_else(|_| plain(), CelValue::Timestamp),
        "duration" => format::duration(text).map_or_else(plain, CelValue::Duration),
        "byte" => {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            bytes.map_or_else(|_| plain(), |bytes| CelValue::Bytes(bytes.into()))
        }
        _ => plain(),
    }
}

/// The name of a field as it can be written in a rule.
pub(super) fn escape(name: &str) -> String {
    if KEYWORDS.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}
