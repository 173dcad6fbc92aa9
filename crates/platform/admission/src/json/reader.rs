//! From the text to the document: `serde_json` reads, and what it finds is put down in a row.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{Document, Extent, Node};

/// The longest key that is repeated to whoever sent it, in characters.
const SHOWN_CHARACTERS: usize = 100;
/// How many bytes of a review there are for each value or key, at least, where it is a usual one.
const BYTES_PER_NODE: usize = 12;
/// How many keys a usual object has, together with those that it is in.
const USUAL_KEYS: usize = 32;

pub(super) fn read(body: &[u8]) -> Result<Document<'_>, serde_json::Error> {
    // Once for all of it: the reader would look at each text anew.
    let text = std::str::from_utf8(body).map_err(serde_json::Error::custom)?;
    let mut rows = Rows {
        nodes: Vec::with_capacity(body.len() / BYTES_PER_NODE),
        keys: Vec::with_capacity(USUAL_KEYS),
        twice: None,
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let top = Value {
        rows: &mut rows,
        place: Place::Review,
    };
    top.deserialize(&mut reader)?;
    reader.end()?;
    Ok(Document {
        nodes: rows.nodes,
        twice: rows.twice,
    })
}

/// What was read so far.
struct Rows<'a> {
    nodes: Vec<Node<'a>>,
    /// The keys of the objects that have not ended yet.
    keys: Vec<Cow<'a, str>>,
    twice: Option<String>,
}

impl Rows<'_> {
    /// Ends the list or the object that began at `start`.
    fn extent(&self, start: usize, items: usize) -> Extent {
        Extent {
            items,
            nodes: self.nodes.len() - start - 1,
        }
    }

    /// Ends the object that began at `start`, and whose keys began at `first`.
    fn end_object(&mut self, start: usize, first: usize) {
        let mut items = self.keys.len() - first;
        if let Some(key) = twice(&mut self.keys[first..]) {
            self.twice.get_or_insert(key);
            items = self.keep_last(start);
        }
        self.keys.truncate(first);
        self.nodes[start] = Node::Object(self.extent(start, items));
    }

    /// Of fields with the same key the last one stays; says how many stay.
    fn keep_last(&mut self, start: usize) -> usize {
        let fields = self.nodes.split_off(start + 1);
        let mut last = BTreeMap::new();
        let mut begins = 0;
        while let Some([Node::Text(key), value, ..]) = fields.get(begins..) {
            let ends = begins + 1 + value.nodes();
            last.insert(key, begins..ends);
            begins = ends;
        }
        for field in last.values() {
            self.nodes.extend_from_slice(&fields[field.clone()]);
        }
        last.len()
    }
}

/// The first key, in their order, that is among these twice.
fn twice(keys: &mut [Cow<'_, str>]) -> Option<String> {
    keys.sort_unstable();
    let pair = keys.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(pair[0].chars().take(SHOWN_CHARACTERS).collect())
}

/// How far inside a review a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Review,
    Request,
    Object,
    Metadata,
    Elsewhere,
}

impl Place {
    fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Review, "request") => Self::Request,
            (Self::Request, "object" | "oldObject") => Self::Object,
            (Self::Object, "metadata") => Self::Metadata,
            _ => Self::Elsewhere,
        }
    }
}

/// A value that is to be read.
struct Value<'r, 'a> {
    rows: &'r mut Rows<'a>,
    place: Place,
}

impl<'a> Value<'_, 'a> {
    fn put(self, node: Node<'a>) {
        self.rows.nodes.push(node);
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.put(Node::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put(Node::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.put(Node::Number(value.into()));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.put(Node::Number(value.into()));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.put(Number::from_f64(value).map_or(Node::Null, Node::Number));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.put(Node::Text(Cow::Owned(value.to_owned())));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<(), E> {
        self.put(Node::Text(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let rows = self.rows;
        let start = rows.nodes.len();
        rows.nodes.push(Node::Null);
        let mut items = 0;
        let place = Place::Elsewhere;
        while values.next_element_seed(Value { rows, place })?.is_some() {
            items += 1;
        }
        rows.nodes[start] = Node::List(rows.extent(start, items));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let rows = self.rows;
        let (start, first) = (rows.nodes.len(), rows.keys.len());
        rows.nodes.push(Node::Null);
        while let Some(key) = entries.next_key_seed(Key)? {
            if self.place == Place::Metadata && key == "managedFields" {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            let place = self.place.below(&key);
            rows.keys.push(key.clone());
            rows.nodes.push(Node::Text(key));
            entries.next_value_seed(Value { rows, place })?;
        }
        rows.end_object(start, first);
        Ok(())
    }
}

/// A key, which is borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }
}
