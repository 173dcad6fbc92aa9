//! JSON as reviews are read: once, by one reader, borrowed from the body, and with no key there twice.
//!
//! Readers disagree which of two equal keys counts: a guard could judge one and the API store the other. So a review that
//! has a key twice is refused whole. What guards need is read out of the tree by [`serde`], as out of any other format.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

mod deserializer;

/// The longest key that is repeated to whoever sent it, in characters.
const SHOWN_CHARACTERS: usize = 100;

/// A value. Texts without escapes are those of the body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Json<'a> {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Fields<'a>),
}

/// The fields of an object, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// Reads JSON, and names a key that is there twice in one object.
///
/// `managedFields` of the objects under review are left out: no guard judges them, and they are often half of an object.
///
/// # Errors
/// When the bytes are no JSON, which is UTF-8 (RFC 8259, section 8.1), or nest deeper than 128.
pub(crate) fn read(body: &[u8]) -> Result<(Json<'_>, Option<String>), serde_json::Error> {
    // Once for all of it: the reader would look at each text anew.
    let text = std::str::from_utf8(body).map_err(serde_json::Error::custom)?;
    let twice = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Once {
        twice: &twice,
        place: Place::Review,
    }
    .deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, twice.into_inner()))
}

impl<'a> Json<'a> {
    pub(crate) fn fields(&self) -> Option<&Fields<'a>> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The value that is reached by these keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, key| value.fields()?.find(key))
    }

    /// Takes the value out that is reached by these keys; null takes its place.
    pub(crate) fn take(&mut self, path: &[&str]) -> Option<Self> {
        let found = path.iter().try_fold(self, |value, key| match value {
            Self::Object(fields) => fields.find_mut(key),
            _ => None,
        });
        found.map(std::mem::take)
    }
}

impl<'a> Fields<'a> {
    /// Brings them into order; and the first key that is there twice, of which the last one stays.
    fn ordered(mut fields: Vec<(Cow<'a, str>, Json<'a>)>) -> (Self, Option<String>) {
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        let twice = fields.windows(2).find(|pair| pair[0].0 == pair[1].0);
        let twice = twice.map(|pair| pair[0].0.chars().take(SHOWN_CHARACTERS).collect());
        if twice.is_some() {
            fields.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    std::mem::swap(later, kept);
                }
                same
            });
        }
        (Self(fields), twice)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    pub(crate) fn find(&self, key: &str) -> Option<&Json<'a>> {
        self.place(key).map(|place| &self.0[place].1)
    }

    fn find_mut(&mut self, key: &str) -> Option<&mut Json<'a>> {
        self.place(key).map(|place| &mut self.0[place].1)
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.0.binary_search_by(|(found, _)| found.as_ref().cmp(key)).ok()
    }
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
    type Value = Json<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let below = Once {
            place: Place::Elsewhere,
            ..self
        };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            if self.place == Place::Metadata && key == "managedFields" {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            let below = Once {
                place: self.place.below(&key),
                ..self
            };
            let value = entries.next_value_seed(below)?;
            fields.push((key, value));
        }
        let (fields, twice) = Fields::ordered(fields);
        if let Some(key) = twice {
            self.twice.borrow_mut().get_or_insert(key);
        }
        Ok(Json::Object(fields))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize as _;
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
            (r#"{"b": 1, "a": 1, "c": 1, "b": 2}"#, Some("b")),
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
        let review = review.to_string();
        let (value, _) = read(review.as_bytes()).unwrap();
        let expected = of(json!({"metadata": {"name": "a"}, "managedFields": 2}));
        assert_eq!(Value::deserialize(&value).unwrap(), expected);
    }

    #[test]
    fn finds_and_takes_out_by_key() {
        let (mut value, _) = read(br#"{"b": {"a": 1, "c": [2]}, "a": null}"#).unwrap();
        assert_eq!(value.at(&["b", "c", "0"]), None);
        assert_eq!(value.at(&["b", "x"]), None);
        let taken = value.take(&["b", "a"]).unwrap();
        assert_eq!(Value::deserialize(&taken).unwrap(), json!(1));
        assert_eq!(
            Value::deserialize(&value).unwrap(),
            json!({"a": null, "b": {"a": null, "c": [2]}})
        );
    }

    #[test]
    fn refuses_what_nests_too_deep_and_what_goes_on_after_the_end() {
        assert!(read("[".repeat(200_000).as_bytes()).is_err());
        assert!(read(b"{} {}").is_err());
    }

    proptest! {
        #[test]
        fn reads_what_serde_reads(body in prop::collection::vec(any::<u8>(), 0..64)) {
            let ours = read(&body).ok().map(|(value, _)| Value::deserialize(&value).unwrap());
            prop_assert_eq!(ours, serde_json::from_slice::<Value>(&body).ok());
        }
    }
}
