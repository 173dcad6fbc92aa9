//! Reads a few parts of an object out of its JSON and skips the rest: for selectors over objects that are not parsed.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The parts to read, as a tree of field names. What has nothing below it is read whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Projection(BTreeMap<String, Projection>);

impl Projection {
    /// Adds the part at this path.
    pub(crate) fn add(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let is_new = !self.0.contains_key(*first);
        let below = self.0.entry((*first).to_owned()).or_default();
        match rest {
            [] => below.0.clear(),
            // What is read whole already has nothing below it, and must not get narrower.
            _ if is_new || !below.0.is_empty() => below.add(rest),
            _ => {}
        }
    }

    /// The object with these parts and no others.
    pub(crate) fn read(&self, json: &[u8]) -> serde_json::Result<Value> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        self.deserialize(&mut deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for &Projection {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.0.is_empty() {
            return serde::Deserialize::deserialize(deserializer);
        }
        // A part of a path that is no object has nothing below it; only objects were ever stored there.
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &Projection {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut parts = Map::new();
        while let Some(found) = map.next_key_seed(Name(self))? {
            match found {
                Some((name, below)) => {
                    let value = map.next_value_seed(below)?;
                    parts.insert(name.to_owned(), value);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(parts))
    }
}

/// A field's name, when the field is wanted; others are not even copied.
struct Name<'p>(&'p Projection);

impl<'de, 'p> DeserializeSeed<'de> for Name<'p> {
    type Value = Option<(&'p str, &'p Projection)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for Name<'p> {
    type Value = Option<(&'p str, &'p Projection)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let found = self.0.0.get_key_value(name);
        Ok(found.map(|(name, below)| (name.as_str(), below)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn projection(paths: &[&[&str]]) -> Projection {
        let mut projection = Projection::default();
        for path in paths {
            projection.add(path);
        }
        projection
    }

    #[test]
    fn reads_what_is_asked_for_and_nothing_else() {
        let object = json!({
            "kind": "Pod",
            "metadata": {"name": "a", "labels": {"app": "web", "n": "1"}, "annotations": {"x": "y"}},
            "spec": {"nodeName": "one", "containers": [{"name": "c"}]},
            "status": {"phase": "Running", "podIP": null},
        });
        let wanted = projection(&[
            &["metadata", "labels"],
            &["spec", "nodeName"],
            &["status", "podIP"],
            &["not", "there"],
        ]);
        assert_eq!(
            wanted.read(object.to_string().as_bytes()).unwrap(),
            json!({
                "metadata": {"labels": {"app": "web", "n": "1"}},
                "spec": {"nodeName": "one"},
                "status": {"podIP": null},
            })
        );
    }

    #[test]
    fn what_is_read_whole_stays_whole() {
        let json = br#"{"source":{"component":"c","host":"h"}}"#;
        for paths in [
            [&["source"][..], &["source", "component"][..]],
            [&["source", "component"][..], &["source"][..]],
        ] {
            let read = projection(&paths).read(json).unwrap();
            assert_eq!(read, json!({"source": {"component": "c", "host": "h"}}));
        }
    }

    #[test]
    fn an_object_of_another_shape_is_an_error() {
        let wanted = projection(&[&["metadata", "labels"]]);
        assert!(wanted.read(br#"{"metadata":null}"#).is_err());
        assert!(wanted.read(b"[").is_err());
    }
}
