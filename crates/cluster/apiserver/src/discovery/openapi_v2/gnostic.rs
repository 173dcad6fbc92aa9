//! An `OpenAPI` v2 document in the protobuf messages of gnostic's `OpenAPIv2.proto`, from which the tags are.
//!
//! Pure. Only what our own documents have is written: objects that the messages do not know are extensions or nothing.

use serde_json::{Map, Value};

/// Writes a document.
pub(super) fn encode(document: &Value) -> Vec<u8> {
    let info = document.get("info").unwrap_or(&Value::Null);
    let info = [text(1, str_of(info, "title")), text(2, str_of(info, "version"))].concat();
    let paths =
        entries(document, "paths").flat_map(|(path, item)| message(2, &named(path, &path_item(item))));
    let definitions =
        entries(document, "definitions").flat_map(|(name, of)| message(1, &named(name, &schema(of))));
    [
        text(1, str_of(document, "swagger")),
        message(2, &info),
        message(8, &paths.collect::<Vec<u8>>()),
        message(9, &definitions.collect::<Vec<u8>>()),
    ]
    .concat()
}

fn entries<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(field).and_then(Value::as_object).into_iter().flatten()
}

fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn str_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The methods of a path, and their tags.
const METHODS: &[(&str, u64)] = &[("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("patch", 8)];

fn path_item(item: &Value) -> Vec<u8> {
    let operations = METHODS
        .iter()
        .filter_map(|(name, tag)| Some(message(*tag, &operation(item.get(*name)?))));
    let parameters = items(item, "parameters").map(|found| message(9, &parameter(found)));
    operations.chain(parameters).flatten().collect()
}

fn operation(value: &Value) -> Vec<u8> {
    let mut bytes = text(5, str_of(value, "operationId"));
    bytes.extend(texts(6, value, "produces"));
    bytes.extend(texts(7, value, "consumes"));
    bytes.extend(items(value, "parameters").flat_map(|found| message(8, &parameter(found))));
    let responses = entries(value, "responses")
        .flat_map(|(code, found)| message(1, &named(code, &message(1, &response(found)))));
    bytes.extend(message(9, &responses.collect::<Vec<u8>>()));
    bytes.extend(extensions(13, value));
    bytes
}

fn response(value: &Value) -> Vec<u8> {
    let mut bytes = text(1, str_of(value, "description"));
    if let Some(found) = value.get("schema") {
        bytes.extend(message(2, &message(1, &schema(found))));
    }
    bytes
}

/// A parameter: in the body, in the query or in the path.
fn parameter(value: &Value) -> Vec<u8> {
    let (place, name) = (str_of(value, "in"), str_of(value, "name"));
    let required = value.get("required") == Some(&Value::Bool(true));
    if place == "body" {
        let found = value.get("schema").map(schema).unwrap_or_default();
        let body = [
            text(2, name),
            text(3, place),
            flag(4, required),
            message(5, &found),
        ]
        .concat();
        return message(1, &message(1, &body));
    }
    let unique = value.get("uniqueItems") == Some(&Value::Bool(true));
    // A parameter of a path cannot be empty: its later tags are one lower.
    let (form, shift) = if place == "path" { (4, 1) } else { (3, 0) };
    let plain = [
        flag(1, required),
        text(2, place),
        text(4, name),
        text(6 - shift, str_of(value, "type")),
        flag(20 - shift, unique),
    ]
    .concat();
    message(1, &message(2, &message(form, &plain)))
}

fn schema(value: &Value) -> Vec<u8> {
    let mut bytes = text(1, str_of(value, "$ref"));
    bytes.extend(text(2, str_of(value, "format")));
    bytes.extend(text(4, str_of(value, "description")));
    if let Some(default) = value.get("default") {
        bytes.extend(message(5, &any(default)));
    }
    bytes.extend(texts(19, value, "required"));
    bytes.extend(items(value, "enum").flat_map(|found| message(20, &any(found))));
    match value.get("additionalProperties") {
        Some(Value::Bool(open)) => bytes.extend(message(21, &flag(2, *open))),
        Some(of) => bytes.extend(message(21, &message(1, &schema(of)))),
        None => {}
    }
    if let Some(Value::String(name)) = value.get("type") {
        bytes.extend(message(22, &text(1, name)));
    }
    if let Some(of) = value.get("items") {
        bytes.extend(message(23, &message(1, &schema(of))));
    }
    bytes.extend(items(value, "allOf").flat_map(|part| message(24, &schema(part))));
    let properties: Vec<u8> = entries(value, "properties")
        .flat_map(|(name, of)| message(1, &named(name, &schema(of))))
        .collect();
    if value.get("properties").is_some() {
        bytes.extend(message(25, &properties));
    }
    bytes.extend(extensions(31, value));
    bytes
}

/// What a message says beyond its own fields.
fn extensions(tag: u64, value: &Value) -> Vec<u8> {
    let nothing = Map::new();
    value
        .as_object()
        .unwrap_or(&nothing)
        .iter()
        .filter(|(name, _)| name.starts_with("x-"))
        .flat_map(|(name, said)| message(tag, &named(name, &any(said))))
        .collect()
}

/// Any value, as YAML: JSON is a part of it.
fn any(value: &Value) -> Vec<u8> {
    text(2, &value.to_string())
}

/// An entry of what is a map in JSON.
fn named(name: &str, value: &[u8]) -> Vec<u8> {
    [text(1, name), message(2, value)].concat()
}

fn texts(tag: u64, value: &Value, field: &str) -> Vec<u8> {
    items(value, field)
        .filter_map(Value::as_str)
        .flat_map(|found| message(tag, found.as_bytes()))
        .collect()
}

/// A text; an empty one is not written.
fn text(tag: u64, text: &str) -> Vec<u8> {
    if text.is_empty() {
        return Vec::new();
    }
    message(tag, text.as_bytes())
}

/// A flag; one that is off is not written.
fn flag(tag: u64, on: bool) -> Vec<u8> {
    if !on {
        return Vec::new();
    }
    let mut bytes = varint(tag << 3);
    bytes.push(1);
    bytes
}

/// A field whose value is bytes: a string or a message.
fn message(tag: u64, value: &[u8]) -> Vec<u8> {
    const LENGTH_DELIMITED: u64 = 2;
    let mut bytes = varint(tag << 3 | LENGTH_DELIMITED);
    bytes.extend(varint(value.len() as u64));
    bytes.extend(value);
    bytes
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7F) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lengths_and_tags_are_varints() {
        assert_eq!(varint(1), [1]);
        assert_eq!(varint(300), [0xAC, 0x02]);
        assert_eq!(text(13, "a"), [0x6A, 1, b'a']);
        assert_eq!(flag(16, true), [0x80, 0x01, 1]);
        assert!(flag(16, false).is_empty());
    }

    #[test]
    fn a_schema_is_written_with_the_tags_of_gnostic() {
        let written = schema(&json!({ "type": "string", "description": "d", "x-a": [1] }));
        let expected = [
            vec![0x22, 1, b'd'],
            vec![0xB2, 0x01, 8, 0x0A, 6],
            b"string".to_vec(),
            vec![0xFA, 0x01, 12, 0x0A, 3],
            b"x-a".to_vec(),
            vec![0x12, 5, 0x12, 3],
            b"[1]".to_vec(),
        ]
        .concat();
        assert_eq!(written, expected);
    }

    #[test]
    fn the_whole_document_is_written() {
        let document = toolforge_kinds::openapi_v2(&[]);
        let written = encode(&document);
        let found = String::from_utf8_lossy(&written);
        for path in document["paths"].as_object().unwrap().keys() {
            assert!(found.contains(path), "{path}");
        }
        for name in document["definitions"].as_object().unwrap().keys() {
            assert!(found.contains(name), "{name}");
        }
    }
}
