//! JSON and YAML with an eye on fields that are there twice: the last one counts, as everywhere, and the others are told.
//!
//! Pure. Depth is bounded by the parser.

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;

/// Reads JSON; also gives `duplicate field "spec.replicas"` for each field that is there more than once.
pub(super) fn read(bytes: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let (mut path, mut found) = (String::new(), Vec::new());
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let at = Place {
        path: &mut path,
        found: &mut found,
    };
    let value = at.deserialize(&mut parser)?;
    parser.end()?;
    Ok((value, found))
}

/// Reads YAML in the same way.
pub(super) fn read_yaml(text: &str) -> Result<(Value, Vec<String>), serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
    };
    let (mut path, mut found) = (String::new(), Vec::new());
    let at = Place {
        path: &mut path,
        found: &mut found,
    };
    let read =
        serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| at.deserialize(yaml));
    Ok((read?, found))
}

/// Where the parser is, and what was found on the way.
struct Place<'a> {
    path: &'a mut String,
    found: &'a mut Vec<String>,
}

impl Place<'_> {
    fn below(&mut self) -> Place<'_> {
        Place {
            path: self.path,
            found: self.found,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let length = self.path.len();
        loop {
            // Writing into a String cannot fail.
            let _ = write!(self.path, "[{}]", list.len());
            let item = items.next_element_seed(self.below())?;
            self.path.truncate(length);
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let length = self.path.len();
        while let Some(name) = entries.next_key::<String>()? {
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&name);
            if map.contains_key(&name) {
                self.found.push(format!("duplicate field \"{}\"", self.path));
            }
            let value = entries.next_value_seed(self.below())?;
            self.path.truncate(length);
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_which_fields_are_there_twice() {
        let text = br#"{"a":1,"spec":{"list":[{"x":1,"x":2}],"b":true,"b":null},"a":1.5}"#;
        let (value, found) = read(text).unwrap();
        assert_eq!(value, json!({"a": 1.5, "spec": {"list": [{"x": 2}], "b": null}}));
        assert_eq!(
            found,
            [
                "duplicate field \"spec.list[0].x\"",
                "duplicate field \"spec.b\"",
                "duplicate field \"a\"",
            ]
        );
        assert!(read(b"{} x").is_err());
    }

    #[test]
    fn tells_the_same_of_yaml() {
        let text = "a: 1\nspec:\n  list:\n  - {x: 1, x: 2}\n  b: ~\n  1: one\na: 1.5\n";
        let (value, found) = read_yaml(text).unwrap();
        assert_eq!(
            value,
            json!({"a": 1.5, "spec": {"list": [{"x": 2}], "b": null, "1": "one"}})
        );
        assert_eq!(
            found,
            ["duplicate field \"spec.list[0].x\"", "duplicate field \"a\""]
        );
        assert!(read_yaml("a: [").is_err());
    }

    proptest! {
        #[test]
        fn reads_as_the_plain_parser_does(bytes in "\\PC{0,40}") {
            let plain: Option<Value> = serde_json::from_slice(bytes.as_bytes()).ok();
            prop_assert_eq!(read(bytes.as_bytes()).ok().map(|(value, _)| value), plain);
            // YAML's plain parser refuses what is there twice.
            if let Ok(plain) = serde_saphyr::from_str::<Value>(&bytes) {
                prop_assert_eq!(read_yaml(&bytes).ok().map(|(value, _)| value), Some(plain));
            }
        }

        #[test]
        fn reads_what_was_written(numbers in prop::collection::vec(any::<i64>(), 0..9), text in ".*", real in any::<f64>()) {
            let value = json!({"a": numbers, "b": {"c": text, "d": [null, true, real, u64::MAX]}});
            let plain: Value = serde_json::from_str(&value.to_string()).unwrap();
            let (read, found) = read(value.to_string().as_bytes()).unwrap();
            prop_assert_eq!(read, plain);
            prop_assert!(found.is_empty());
        }
    }
}
