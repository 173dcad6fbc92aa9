//! Whether the text of a JSON object has all of a value, without making a tree of the text.
//!
//! Pure. The same question as `plan.rs` asks of two trees, and always with the same answer; the cache asks it for every
//! object at every look, when nearly always everything is as it should be.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// Whether `text` has all of `wanted`: maps may have more keys, but for those that are called `whole`; lists may not have
/// more items.
pub(crate) fn contains(text: &str, wanted: &Value, whole: Option<&str>) -> bool {
    let mut reader = serde_json::Deserializer::from_str(text);
    let wanted = Wanted {
        value: wanted,
        whole,
        is_whole: false,
    };
    wanted.deserialize(&mut reader).is_ok()
}

/// Reads a value that has all of this one; any other is an error, which ends the reading.
struct Wanted<'a> {
    value: &'a Value,
    /// How maps are called that may have no more keys.
    whole: Option<&'a str>,
    /// Whether this is one of them.
    is_whole: bool,
}

impl<'a> Wanted<'a> {
    fn is<E: Error>(&self, found: impl FnOnce(&'a Value) -> bool) -> Result<(), E> {
        found(self.value)
            .then_some(())
            .ok_or_else(|| E::custom("another value"))
    }

    /// What is wanted of something in this one.
    fn inner(&self, value: &'a Value, name: Option<&str>) -> Self {
        Self {
            value,
            whole: self.whole,
            is_whole: name.is_some() && name == self.whole,
        }
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
        let wanted = self.value.as_array().ok_or_else(|| A::Error::custom("a list"))?;
        for item in wanted {
            let found = found.next_element_seed(self.inner(item, None))?;
            found.ok_or_else(|| A::Error::custom("an item too few"))?;
        }
        match found.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("an item too many")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut found: A) -> Result<(), A::Error> {
        let wanted = self.value.as_object().ok_or_else(|| A::Error::custom("a map"))?;
        let mut left = wanted.len();
        while let Some(known) = found.next_key_seed(Key(wanted))? {
            if let Some((name, value)) = known {
                found.next_value_seed(self.inner(value, Some(name)))?;
                left = left.saturating_sub(1);
            } else if self.is_whole {
                return Err(A::Error::custom("a key too many"));
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

/// Reads a key; gives it with what is wanted of it, if anything.
struct Key<'a>(&'a Map<String, Value>);

impl<'de, 'a> DeserializeSeed<'de> for Key<'a> {
    type Value = Option<(&'a str, &'a Value)>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Key<'a> {
    type Value = Option<(&'a str, &'a Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self
            .0
            .get_key_value(key)
            .map(|(key, value)| (key.as_str(), value)))
    }
}
