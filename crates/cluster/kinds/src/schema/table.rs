//! The table of all structures, and how it is read.
//!
//! What the types say of themselves (`definitions.rs`) costs milliseconds and megabytes of code that nothing else at the start of
//! an API needs. So that is written down once, in `shapes.txt`: facts of the published types, drawn by `draw.rs`, whose test
//! says how to write it anew.

#[cfg(test)]
mod draw;

use std::collections::HashMap;

use super::shape::{Shape, Shapes, Struct};

/// As it was drawn.
pub(super) const TABLE: &str = include_str!("shapes.txt");

/// What begins the line of a kind; all other lines are structures.
const KIND: &str = "kind";
/// What begins a line for people.
const COMMENT: char = '#';

/// Reads a table.
pub(super) fn read(table: &'static str) -> Shapes {
    let lines = || table.lines().filter(|line| !line.starts_with(COMMENT));
    let is_kind = |line: &&str| line.starts_with(KIND);
    let index: HashMap<&str, usize> = lines()
        .filter(|line| !is_kind(line))
        .enumerate()
        .map(|(at, line)| (word(line).0, at))
        .collect();
    let structs = lines()
        .filter(|line| !is_kind(line))
        .map(|line| structure(line, &index))
        .collect();
    let roots = lines().filter(is_kind).filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (group, version) = words.next()?.split_once('/')?;
        let kind = words.next()?;
        Some(((group, version, kind), *index.get(words.next()?)?))
    });
    Shapes {
        structs,
        roots: roots.collect(),
    }
}

/// The first word of a line, and the others.
fn word(line: &str) -> (&str, &str) {
    line.split_once(' ').unwrap_or((line, ""))
}

/// `core.v1.Binding apiVersion:s kind:s metadata:meta.v1.ObjectMeta target:core.v1.ObjectReference`
fn structure(line: &'static str, index: &HashMap<&str, usize>) -> Struct {
    let (name, fields) = word(line);
    Struct {
        name: name.rsplit('.').next().unwrap_or(name),
        fields: fields
            .split(' ')
            .filter_map(|field| field.split_once(':'))
            .map(|(field, shape)| (field, shape_of(shape, index)))
            .collect(),
    }
}

/// The words of the table's head.
fn shape_of(word: &str, index: &HashMap<&str, usize>) -> Shape {
    let inner = |word: &str| Box::new(shape_of(word, index));
    match word {
        "s" => Shape::Text,
        "y" => Shape::Bytes,
        "t" => Shape::Time,
        "b" => Shape::Flag,
        "i" => Shape::Integer(32),
        "l" => Shape::Integer(64),
        "d" => Shape::Number,
        "q" => Shape::Quantity,
        "p" => Shape::IntOrString,
        "o" => Shape::AnyObject,
        _ => match word.split_at_checked(1) {
            Some(("*", item)) => Shape::List(inner(item)),
            Some(("%", item)) => Shape::Map(inner(item)),
            Some(("~", name)) => index.get(name).map_or(Shape::Any, |at| Shape::StructOr(*at)),
            _ => index.get(word).map_or(Shape::Any, |at| Shape::Struct(*at)),
        },
    }
}
