//! The compact form of the schemas, made of a table when it is first asked for.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::table;
use crate::definitions::Place;

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
    pub(crate) name: &'static str,
    /// Field names and types, sorted by name.
    pub(super) fields: Box<[(&'static str, Shape)]>,
}

impl Struct {
    /// The type of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Shape> {
        let index = self
            .fields
            .binary_search_by(|(field, _)| (*field).cmp(name))
            .ok()?;
        Some(&self.fields[index].1)
    }
}

/// All structures.
#[derive(Debug)]
pub(crate) struct Shapes {
    pub(super) structs: Vec<Struct>,
    pub(super) roots: HashMap<Place, usize>,
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
    static SHAPES: LazyLock<Shapes> = LazyLock::new(|| table::read(table::TABLE));
    &SHAPES
}
