//! JSON as reviews are read: once, by one reader, borrowed from the body, and with no key there twice.
//!
//! Readers disagree which of two equal keys counts: a guard could judge one and the API store the other. So a review that
//! has a key twice is refused whole. What guards need is read out of the document by [`serde`], as out of any other format.

mod deserializer;
mod reader;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Number;

/// All values of a text, one after the other as they stand there: one piece of memory, however many there are.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    nodes: Vec<Node<'a>>,
    twice: Option<String>,
}

/// One value of a document, or one key. Lists and objects are followed by what they hold.
#[derive(Clone, Debug, PartialEq)]
enum Node<'a> {
    Null,
    Bool(bool),
    Number(Number),
    /// That of the body where it has no escapes.
    Text(Cow<'a, str>),
    List(Extent),
    /// A key, which is a text, comes before each value.
    Object(Extent),
}

/// How much a list or an object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    /// Its items, or its fields.
    items: usize,
    /// The nodes of all of them.
    nodes: usize,
}

/// A value within a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a>(
    /// Its node, and those that it holds.
    &'a [Node<'a>],
);

/// The values of a list or of an object that were not seen yet.
#[derive(Clone, Debug)]
struct Items<'a> {
    left: usize,
    nodes: &'a [Node<'a>],
}

/// The fields of an object, in the order of the text.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(Items<'a>);

impl<'a> Document<'a> {
    /// Reads JSON.
    ///
    /// `managedFields` of the objects under review are left out: no guard judges them, and they are often half of an object.
    ///
    /// # Errors
    /// When the bytes are no JSON, which is UTF-8 (RFC 8259, section 8.1), or nest deeper than 128.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        reader::read(body)
    }

    /// The value that it is.
    pub(crate) fn value(&self) -> Json<'_> {
        Json(&self.nodes)
    }

    /// A key that is there twice in one object, shortened. Of its values the last one is in the document.
    pub(crate) fn twice(&self) -> Option<&str> {
        self.twice.as_deref()
    }
}

impl Default for Json<'_> {
    fn default() -> Self {
        const NULL: &[Node<'_>] = &[Node::Null];
        Self(NULL)
    }
}

impl<'a> Json<'a> {
    pub(crate) fn fields(self) -> Option<Fields<'a>> {
        match self.0 {
            [Node::Object(extent), nodes @ ..] => Some(Fields(extent.of(nodes))),
            _ => None,
        }
    }

    fn items(self) -> Option<Items<'a>> {
        match self.0 {
            [Node::List(extent), nodes @ ..] => Some(extent.of(nodes)),
            _ => None,
        }
    }

    /// The value that is reached by these keys.
    pub(crate) fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |value, key| value.fields()?.find(key))
    }
}

/// The order of fields does not matter.
impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        // The same text most of the time, which is seen at once.
        self.0 == other.0
            || match (self.fields(), other.fields()) {
                (Some(one), Some(other)) => one.sorted() == other.sorted(),
                (None, None) => match (self.items(), other.items()) {
                    (Some(one), Some(other)) => one.eq(other),
                    _ => false,
                },
                _ => false,
            }
    }
}

impl Extent {
    fn of<'a>(self, nodes: &'a [Node<'a>]) -> Items<'a> {
        Items {
            left: self.items,
            nodes,
        }
    }
}

impl Node<'_> {
    /// How many nodes it is, with those that it holds.
    fn nodes(&self) -> usize {
        match self {
            Self::List(extent) | Self::Object(extent) => 1 + extent.nodes,
            _ => 1,
        }
    }
}

impl<'a> Items<'a> {
    /// Takes the next node off, and those that it holds.
    fn step(&mut self) -> &'a [Node<'a>] {
        let nodes = self.nodes.first().map_or(0, Node::nodes);
        let (taken, rest) = self.nodes.split_at(nodes);
        self.nodes = rest;
        taken
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(Json(self.step()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn find(mut self, key: &str) -> Option<Json<'a>> {
        self.find_map(|(found, value)| (found == key).then_some(value))
    }

    /// In the order of their keys.
    fn sorted(self) -> Vec<(&'a str, Json<'a>)> {
        let mut fields: Vec<_> = self.collect();
        fields.sort_unstable_by_key(|(key, _)| *key);
        fields
    }

    /// Whether they are the same as others, some apart.
    pub(crate) fn equal_but(self, other: Self, apart: &[&str]) -> bool {
        let counted = |fields: Self| {
            let mut fields = fields.sorted();
            fields.retain(|(key, _)| !apart.contains(key));
            fields
        };
        counted(self) == counted(other)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.left = self.0.left.checked_sub(1)?;
        match self.0.step() {
            [Node::Text(key)] => Some((key, Json(self.0.step()))),
            _ => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
