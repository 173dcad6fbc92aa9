//! Changes of an object as a JSON patch (RFC 6902), written while they are found. The mutating guards write what they give
//! through it: they know from the typed object what is there, so that nothing is copied, changed and compared.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// How long most patches are at most, in bytes: what is given to a Pod of a tool.
const USUAL_BYTES: usize = 1024;

/// Changes of an object, in the order in which they are made: a JSON patch as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// A list of operations; nothing at all as long as there is none.
    json: Vec<u8>,
}

#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Operation<'a, V> {
    Add { path: Pointer<'a>, value: V },
    Remove { path: Pointer<'a> },
}

/// A place from the object's top, as a JSON pointer (RFC 6901). A key of a map is one token and may have any character.
struct Pointer<'a>(&'a [&'a str]);

/// Those of some fields that have a value, as an object.
struct Given<'a, V>(&'a [(&'a str, Option<V>)]);

impl Changes {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.json.is_empty()
    }

    /// The JSON patch.
    pub fn as_json(&self) -> &[u8] {
        if self.is_empty() { b"[]" } else { &self.json }
    }

    /// These, and then those.
    #[must_use]
    pub fn and_then(mut self, then: Self) -> Self {
        if self.is_empty() {
            return then;
        }
        if let Some(then) = then.json.strip_prefix(b"[") {
            self.open();
            self.json.extend_from_slice(then);
        }
        self
    }

    /// Makes them in an object, and says whether they fit; one that they do not fit stays as it is.
    pub fn make_in(&self, object: &mut Value) -> bool {
        let patch: json_patch::Patch =
            serde_json::from_slice(self.as_json()).expect("what is written here is a JSON patch");
        // Takes back what it did where it fails.
        json_patch::patch(object, &patch).is_ok()
    }

    /// Sets a field, or inserts into a list.
    pub(crate) fn add(&mut self, place: &[&str], value: impl Serialize) {
        let path = Pointer(place);
        self.push(&Operation::Add { path, value });
    }

    pub(crate) fn remove(&mut self, place: &[&str]) {
        let path = Pointer(place);
        self.push(&Operation::Remove::<()> { path });
    }

    /// Appends to the list at a place, which is made where it is missing.
    pub(crate) fn append<V: Serialize>(&mut self, place: &[&str], there: bool, items: &[V]) {
        if items.is_empty() {
        } else if there {
            for item in items {
                self.add(&below(place, "-"), item);
            }
        } else {
            self.add(place, items);
        }
    }

    /// Sets those fields of the object at a place that have a value; the object is made where it is missing.
    pub(crate) fn set<V: Serialize>(&mut self, place: &[&str], there: bool, fields: &[(&str, Option<V>)]) {
        let given = Given(fields);
        if there {
            for (field, value) in given.iter() {
                self.add(&below(place, field), value);
            }
        } else if given.iter().next().is_some() {
            self.add(place, given);
        }
    }

    fn push(&mut self, operation: &impl Serialize) {
        self.open();
        serde_json::to_writer(&mut self.json, operation).expect("memory takes all, and keys are texts");
        self.json.push(b']');
    }

    /// Makes ready for another operation and the end of the list.
    fn open(&mut self) {
        if let Some(end) = self.json.last_mut() {
            *end = b',';
        } else {
            self.json.reserve(USUAL_BYTES);
            self.json.push(b'[');
        }
    }
}

fn below<'a>(place: &[&'a str], token: &'a str) -> Vec<&'a str> {
    place.iter().copied().chain([token]).collect()
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in self.0 {
            f.write_str("/")?;
            if token.contains(['~', '/']) {
                f.write_str(&token.replace('~', "~0").replace('/', "~1"))?;
            } else {
                f.write_str(token)?;
            }
        }
        Ok(())
    }
}

impl Serialize for Pointer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<V> Given<'_, V> {
    fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0
            .iter()
            .filter_map(|(field, value)| Some((*field, value.as_ref()?)))
    }
}

impl<V: Serialize> Serialize for Given<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Changes;

    #[test]
    fn are_made_one_after_the_other_at_places_with_any_character() {
        let (mut first, mut then) = (Changes::default(), Changes::default());
        assert_eq!((first.is_empty(), first.as_json()), (true, &b"[]"[..]));
        first.add(&["~/\"", "a"], 1);
        first.remove(&["gone"]);
        then.append(&["list"], false, &["x"]);
        then.append(&["list"], true, &["y", "z"]);
        then.append::<u8>(&["other"], false, &[]);
        then.set(&["fields"], false, &[("a", Some(1)), ("b", None)]);
        then.set(&["fields"], true, &[("b", Some("ä\"")), ("c", None)]);
        then.set::<u8>(&["none"], false, &[("a", None)]);
        let mut object = json!({"~/\"": {}, "gone": 0});
        let all = Changes::default().and_then(first.clone().and_then(then));
        assert!(all.make_in(&mut object));
        let expected = json!({"~/\"": {"a": 1}, "list": ["x", "y", "z"], "fields": {"a": 1, "b": "ä\""}});
        assert_eq!(object, expected);
        assert_eq!(first.clone().and_then(Changes::default()), first);
    }

    #[test]
    fn leave_what_they_do_not_fit_as_it_is() {
        let mut changes = Changes::default();
        changes.add(&["a"], 1);
        changes.remove(&["b"]);
        let mut object = json!({});
        assert!(!changes.make_in(&mut object));
        assert_eq!(object, json!({}));
    }
}
