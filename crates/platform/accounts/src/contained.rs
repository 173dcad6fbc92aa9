//! Whether the text of a JSON object has all of a value, without making a tree of the text.
//!
//! Pure. The same question as `plan.rs` asks of two trees, and always with the same answer; the cache asks it for every
//! object at every look, when nearly always everything is as it should be.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// Whether `text` has all of `wanted`: maps may have more keys, lists may not have more items.
pub(crate) fn contains(text: &str, wanted: &Value) -> bool {
    let mut reader = serde_json::Deserializer::from_str(text);
    Wanted(wanted).deserialize(&mut reader).is_ok()
}

/// Reads a value that has all of this one; any other is an error, which ends the reading.
struct Wanted<'a>(&'a Value);

impl<'a> Wanted<'a> {
    fn is<E: Error>(&self, found: impl FnOnce(&'a Value) -> bool) -> Result<(), E> {
        found(self.0)
            .then_some(())
            .ok_or_else(|| E::custom("another value"))
    }
}

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what is wanted")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.is(Value::is_null)
    }

    fn visit_bool<E: Error>(self, found: bool) -> Result<(), E> {
        self.is(|wanted| *wanted == found)
    }

    fn visit_u64<E: Error>(self, found: u64) -> Result<(), E> {
        self.is(|wanted| *wanted == found)
    }

    fn visit_i64<E: Error>(self, found: i64) -> Result<(), E> {
        self.is(|wanted| *wanted == found)
    }

    fn visit_f64<E: Error>(self, found: f64) -> Result<(), E> {
        self.is(|wanted| *wanted == found)
    }

    fn visit_str<E: Error>(self, found: &str) -> Result<(), E> {
        self.is(|wanted| *wanted == found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut found: A) -> Result<(), A::Error> {
        let wanted = self.0.as_array().ok_or_else(|| A::Error::custom("a list"))?;
        for item in wanted {
            let found = found.next_element_seed(Wanted(item))?;
            found.ok_or_else(|| A::Error::custom("an item too few"))?;
        }
        match found.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("an item too many")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut found: A) -> Result<(), A::Error> {
        let wanted = self.0.as_object().ok_or_else(|| A::Error::custom("a map"))?;
        let mut left = wanted.len();
        while let Some(value) = found.next_key_seed(Key(wanted))? {
            if let Some(value) = value {
                found.next_value_seed(Wanted(value))?;
                left = left.saturating_sub(1);
            } else {
                found.next_value::<IgnoredAny>()?;
            }
        }
        if left == 0 {
            Ok(())
        } else {
            Err(A::Error::custom("a key too few"))
        }
    }
}

/// Reads a key; gives what is wanted of it, if anything.
struct Key<'a>(&'a Map<String, Value>);

impl<'de, 'a> DeserializeSeed<'de> for Key<'a> {
    type Value = Option<&'a Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Key<'a> {
    type Value = Option<&'a Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.get(key))
    }
}
