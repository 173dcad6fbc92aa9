//! The table of messages: which tag is which field of which type.

use std::collections::HashMap;
use std::sync::OnceLock;

const TEXT: &str = include_str!("types.txt");

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Bytes,
    Bool,
    Integer,
    Double,
    Time { micros: bool },
    Quantity,
    IntOrString,
    Raw,
    Texts,
    SchemaOrSchemas,
    SchemaOrBool,
    SchemaOrTexts,
    Message(String),
}

/// How values of a field make up the JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    One(Type),
    Many(Type),
    Map(Type),
    /// The fields of this message stand in the outer object.
    Inline(String),
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    tag: u64,
    pub(crate) name: String,
    pub(crate) shape: Shape,
}

/// The fields of a message.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<Known>);

impl Message {
    /// The field with a tag.
    pub(crate) fn field(&self, tag: u64) -> Option<&Known> {
        self.0.iter().find(|known| known.tag == tag)
    }
}

/// A message by name, such as `core.v1.Pod`.
pub(crate) fn message(name: &str) -> Option<&'static Message> {
    static TABLE: OnceLock<HashMap<&'static str, Message>> = OnceLock::new();
    TABLE
        .get_or_init(|| TEXT.lines().filter_map(read_line).collect())
        .get(name)
}

fn read_line(line: &'static str) -> Option<(&'static str, Message)> {
    if line.starts_with('#') {
        return None;
    }
    let (name, fields) = line.split_once(':')?;
    Some((name, Message(fields.split(',').filter_map(read_field).collect())))
}

fn read_field(text: &str) -> Option<Known> {
    let mut words = text.split_whitespace();
    let (tag, name, kind) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
    let shape = match (name, kind.strip_prefix('*')) {
        ("~", _) => Shape::Inline(kind.to_owned()),
        (_, Some(inner)) => Shape::Many(read_type(inner)),
        // A message has a dot in its name; `m` before a type is a map.
        (_, None) => match kind.strip_prefix('m') {
            Some(inner) if !kind.starts_with("meta.") => Shape::Map(read_type(inner)),
            _ => Shape::One(read_type(kind)),
        },
    };
    Some(Known {
        tag,
        name: name.to_owned(),
        shape,
    })
}

fn read_type(code: &str) -> Type {
    match code {
        "s" => Type::Text,
        "y" => Type::Bytes,
        "b" => Type::Bool,
        "i" => Type::Integer,
        "d" => Type::Double,
        "T" => Type::Time { micros: false },
        "U" => Type::Time { micros: true },
        "Q" => Type::Quantity,
        "I" => Type::IntOrString,
        "R" => Type::Raw,
        "L" => Type::Texts,
        "A" => Type::SchemaOrSchemas,
        "O" => Type::SchemaOrBool,
        "P" => Type::SchemaOrTexts,
        message => Type::Message(message.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_that_is_named_is_there() {
        for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
            let (name, found) = read_line(line).unwrap();
            for known in &found.0 {
                let (Shape::One(kind) | Shape::Many(kind) | Shape::Map(kind)) = &known.shape else {
                    let Shape::Inline(inner) = &known.shape else {
                        unreachable!()
                    };
                    assert!(message(inner).is_some(), "{inner} in {name}");
                    continue;
                };
                if let Type::Message(inner) = kind {
                    assert!(message(inner).is_some(), "{inner} in {name}");
                }
            }
        }
    }

    #[test]
    fn every_kind_that_can_be_written_has_a_message() {
        let written = toolforge_kinds::all()
            .iter()
            .filter(|kind| kind.verbs.contains("create"));
        for kind in written {
            let name = super::super::message_name(&kind.api_version(), kind.kind);
            assert!(message(&name).is_some(), "{name}");
        }
    }
}
