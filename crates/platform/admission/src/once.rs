//! JSON in which no key is there twice.
//!
//! Readers disagree which of two equal keys counts: a guard could judge one and the API store the other. What is read
//! here is read once, by one reader, and a review that has a key twice is refused whole.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::map::{Entry, Map};
use serde_json::{Number, Value};

/// The longest key that is repeated to whoever sent it, in characters.
const SHOWN_CHARACTERS: usize = 100;

/// Reads JSON, and names the first key that is there twice in one object.
///
/// `managedFields` of the objects under review are left out: no guard judges them, and they are often half of an object.
///
/// # Errors
/// When the bytes are no JSON, or nest deeper than 128.
pub(crate) fn read(body: &[u8]) -> Result<(Value, Option<String>), serde_json::Error> {
    let twice = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Once {
        twice: &twice,
        place: Place::Review,
    }
    .deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, twice.into_inner()))
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

#[derive(Clone, Copy)]
struct Once<'a> {
    twice: &'a RefCell<Option<String>>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Once<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = Once {
            place: Place::Elsewhere,
            ..self
        };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if self.place == Place::Metadata && key == "managedFields" {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            let below = Once {
                place: self.place.below(&key),
                ..self
            };
            match map.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(entries.next_value_seed(below)?);
                }
                Entry::Occupied(mut place) => {
                    let shown = || place.key().chars().take(SHOWN_CHARACTERS).collect();
                    self.twice.borrow_mut().get_or_insert_with(shown);
                    place.insert(entries.next_value_seed(below)?);
                }
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::read;

    #[test]
    fn names_a_key_that_is_there_twice_wherever_it_is() {
        for (text, key) in [
            (r#"{"a": 1, "a": 1}"#, Some("a")),
            (
                r#"{"request": {"object": {"spec": [{"host": "x", "host": "y"}]}}}"#,
                Some("host"),
            ),
            (r#"{"a": {"b": 1}, "b": {"a": 1}}"#, None),
            // The same key, once escaped: what counts is what it means.
            (r#"{"host": "x", "h\u006fst": "y"}"#, Some("host")),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap().1.as_deref(), key, "{text}");
        }
    }

    #[test]
    fn leaves_out_managed_fields_of_objects_and_nothing_else() {
        let of = |object: Value| json!({"request": {"object": object, "managedFields": 1}});
        let review =
            of(json!({"metadata": {"name": "a", "managedFields": [{"f:x": {}}]}, "managedFields": 2}));
        let (value, _) = read(review.to_string().as_bytes()).unwrap();
        assert_eq!(value, of(json!({"metadata": {"name": "a"}, "managedFields": 2})));
    }

    #[test]
    fn refuses_what_nests_too_deep_and_what_goes_on_after_the_end() {
        assert!(read("[".repeat(200_000).as_bytes()).is_err());
        assert!(read(b"{} {}").is_err());
    }

    proptest! {
        #[test]
        fn reads_what_serde_reads(body in prop::collection::vec(any::<u8>(), 0..64)) {
            let ours = read(&body).map(|(value, _)| value).ok();
            prop_assert_eq!(ours, serde_json::from_slice::<Value>(&body).ok());
        }
    }
}
