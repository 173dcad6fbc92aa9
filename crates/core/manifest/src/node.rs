//! A value of a file with the place where it stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use crate::{Place, Places, place};

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    place: Place,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Where it stands.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Moves it, with all that is in it, behind the beginning of its part of the file.
    pub(crate) fn shift(&mut self, start: Place) {
        self.place = start.before(self.place);
        match &mut self.content {
            Content::Scalar(_) => {}
            Content::List(items) => items.iter_mut().for_each(|item| item.shift(start)),
            Content::Map(entries) => entries.iter_mut().for_each(|(_, node)| node.shift(start)),
        }
    }

    /// Whether nothing stands there.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(Value::Null))
    }

    /// Whether it is a map, as every object is.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self.content, Content::Map(_))
    }

    /// The text at a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match &self.at(key)?.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Adds a text at a key that is not there.
    pub(crate) fn set_default(&mut self, key: &str, text: &str) {
        let place = self.place;
        if self.at(key).is_none()
            && let Content::Map(entries) = &mut self.content
        {
            let content = Content::Scalar(Value::String(text.to_owned()));
            entries.push((key.to_owned(), Self { place, content }));
        }
    }

    /// Takes the list at a key out; none when there is none.
    pub(crate) fn take_list(&mut self, key: &str) -> Option<Vec<Self>> {
        let Content::Map(entries) = &mut self.content else {
            return None;
        };
        match &mut entries.iter_mut().find(|(found, _)| found == key)?.1.content {
            Content::List(items) => Some(std::mem::take(items)),
            _ => None,
        }
    }

    /// The value, and where its parts stand.
    pub(crate) fn into_parts(self) -> (Value, Places) {
        let mut places = Places::default();
        let value = self.flatten(String::new(), &mut places);
        (value, places)
    }

    fn at(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(entries) => Some(&entries.iter().find(|(found, _)| found == key)?.1),
            _ => None,
        }
    }

    fn flatten(self, field: String, places: &mut Places) -> Value {
        let value = match self.content {
            Content::Scalar(value) => value,
            Content::List(items) => {
                let items = items.into_iter().enumerate();
                Value::Array(
                    items
                        .map(|(i, item)| item.flatten(format!("{field}[{i}]"), places))
                        .collect(),
                )
            }
            Content::Map(entries) => {
                let mut map = Map::new();
                for (key, node) in entries {
                    let value = node.flatten(place::below(&field, &key), places);
                    map.insert(key, value);
                }
                Value::Object(map)
            }
        };
        places.insert(field, self.place);
        value
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Spanned::<Content>::deserialize(deserializer)?;
        let place = Place {
            line: found.referenced.line(),
            column: found.referenced.column(),
        };
        Ok(Self {
            place,
            content: found.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

/// Below this every whole number has a float of its own.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value that JSON has")
    }

    fn visit_unit<E: Error>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E: Error>(self) -> Result<Content, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Content, E> {
        // Whole numbers arrive at the API without a point, whatever their spelling: 1e3 is 1000.
        let whole = value.fract() == 0.0 && value.abs() < LARGEST_WHOLE;
        let number = match format!("{value:.0}").parse::<i64>() {
            Ok(number) if whole => Some(Number::from(number)),
            _ => Number::from_f64(value),
        };
        let number = number.ok_or_else(|| E::custom("this number is not finite"))?;
        Ok(Content::Scalar(Value::Number(number)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Content, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Content, E> {
        Ok(Content::Scalar(Value::String(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Content::Map(map))
    }
}
