//! A stored object: its JSON bytes once, and its parsed value for as long as somebody has a use for it.
//!
//! Reads and watches send the bytes as they are; only writers, tables and the built-in parts need the value, which is
//! many times as large. Values that were needed lately are kept, up to a bound; all others go with their last user. The
//! bytes themselves may be packed, and are then put together for each reader.

use std::sync::{Arc, Weak};

use bytes::{BufMut, Bytes};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use toolforge_kinds::Kind;

use super::event::{LINE_END, begin_line};
use super::key::Key;
use super::packed::Packed;
use super::recent;

/// Bytes to begin with when an object is serialised: most need no more.
const USUAL_BYTES: usize = 4096;

/// One revision of one object. Immutable, shared by reference.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Where it lives.
    pub(crate) key: Key,
    /// The revision of the write that made it; its `metadata.resourceVersion`.
    pub(crate) revision: u64,
    /// The object as JSON, resource version included.
    body: RwLock<Body>,
    /// The kind that it was converted to, where it is not as it is stored.
    pub(crate) shown_as: Option<&'static Kind>,
    value: Mutex<Weak<Value>>,
}

/// The JSON of an object.
#[derive(Debug)]
enum Body {
    /// As it is sent.
    Plain {
        json: Bytes,
        /// The line of a watch that the JSON is a part of, and its word: the event of the write keeps no copy.
        line: Option<(&'static str, Bytes)>,
    },
    /// As what it shares with another.
    Packed(Packed),
}

impl Stored {
    /// An object read from disk; parsed when first needed.
    pub(crate) fn unparsed(key: Key, revision: u64, json: Bytes) -> Self {
        Self {
            key,
            revision,
            body: RwLock::new(Body::Plain { json, line: None }),
            shown_as: None,
            value: Mutex::new(Weak::new()),
        }
    }

    /// Stamps `value` with `revision` and serialises it, within the line of a watch that begins with `word`.
    pub(crate) fn stamp(key: Key, revision: u64, mut value: Value, word: &'static str) -> Self {
        stamp_revision(&mut value, revision);
        let mut line = Vec::with_capacity(USUAL_BYTES);
        begin_line(&mut line, word);
        let start = line.len();
        let end = append_json(&mut line, &value);
        line.extend_from_slice(LINE_END);
        let line = exactly(line);
        let json = line.slice(start..end);
        Self::written(key, revision, value, json, Some((word, line)))
    }

    /// What a dry run would have written; it has no revision of its own.
    pub(crate) fn draft(key: Key, value: Value) -> Self {
        let mut json = Vec::with_capacity(USUAL_BYTES);
        append_json(&mut json, &value);
        Self::written(key, 0, value, json.into(), None)
    }

    /// A stored object as an object of another version of its kind.
    pub(crate) fn converted(key: Key, revision: u64, value: Value, kind: &'static Kind) -> Self {
        Self {
            revision,
            shown_as: Some(kind),
            ..Self::draft(key, value)
        }
    }

    fn written(
        key: Key,
        revision: u64,
        value: Value,
        json: Bytes,
        line: Option<(&'static str, Bytes)>,
    ) -> Self {
        let value = Arc::new(value);
        let known = Mutex::new(Arc::downgrade(&value));
        recent::keep(value, json.len());
        Self {
            key,
            revision,
            body: RwLock::new(Body::Plain { json, line }),
            shown_as: None,
            value: known,
        }
    }

    /// The line of a watch that says `word` of the object, when there is one already.
    pub(super) fn line(&self, word: &str) -> Option<Bytes> {
        match &*self.body.read() {
            Body::Plain {
                line: Some((known, line)),
                ..
            } if *known == word => Some(line.clone()),
            _ => None,
        }
    }

    /// The object as JSON.
    pub(crate) fn json(&self) -> Bytes {
        match &*self.body.read() {
            Body::Plain { json, .. } => json.clone(),
            Body::Packed(packed) => packed.text(),
        }
    }

    /// Writes the object as JSON.
    pub(crate) fn append_json(&self, text: &mut impl BufMut) {
        match &*self.body.read() {
            Body::Plain { json, .. } => text.put_slice(json),
            Body::Packed(packed) => packed.append_to(text),
        }
    }

    /// Bytes of the object as JSON.
    pub(crate) fn length(&self) -> usize {
        match &*self.body.read() {
            Body::Plain { json, .. } => json.len(),
            Body::Packed(packed) => packed.length(),
        }
    }

    /// Keeps the same JSON in less memory.
    pub(super) fn keep_packed(&self, packed: Packed) {
        *self.body.write() = Body::Packed(packed);
    }

    #[cfg(test)]
    pub(super) fn is_packed(&self) -> bool {
        matches!(&*self.body.read(), Body::Packed(_))
    }

    /// The object as a value.
    pub(crate) fn value(&self) -> Arc<Value> {
        let mut known = self.value.lock();
        if let Some(value) = known.upgrade() {
            return value;
        }
        let json = self.json();
        let parsed = serde_json::from_slice(&json).unwrap_or_else(|problem| {
            // The journal has checksums; a value that passes them and is no JSON was never written by us.
            tracing::error!(key = %self.key, %problem, "stored object is not JSON");
            Value::Null
        });
        let value = Arc::new(parsed);
        *known = Arc::downgrade(&value);
        recent::keep(value.clone(), json.len());
        value
    }

    /// The object as a value, when it need not be parsed for that.
    pub(crate) fn known_value(&self) -> Option<Arc<Value>> {
        self.value.lock().upgrade()
    }
}

/// Serialises behind what is there; gives the new length.
fn append_json(bytes: &mut Vec<u8>, value: &Value) -> usize {
    serde_json::to_writer(&mut *bytes, value).expect("a JSON value always serialises");
    bytes.len()
}

/// Bytes that take no more memory than they are: they stay as long as the object does.
pub(super) fn exactly(bytes: Vec<u8>) -> Bytes {
    bytes.into_boxed_slice().into()
}

/// Writes `metadata.resourceVersion`.
pub(crate) fn stamp_revision(value: &mut Value, revision: u64) {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".to_owned(), Value::String(revision.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{Resource, watch_line};

    #[test]
    fn the_line_of_a_watch_and_the_json_are_the_same_bytes() {
        let resource = Resource::find("", "configmaps").unwrap();
        let key = Key::new(resource, Some("a"), "b");
        let stored = Stored::stamp(key, 7, json!({"metadata":{"name":"b"}}), "ADDED");
        assert_eq!(
            stored.json(),
            r#"{"metadata":{"name":"b","resourceVersion":"7"}}"#
        );
        let line = stored.line("ADDED").unwrap();
        assert_eq!(line, watch_line("ADDED", &stored.json()));
        assert!(line.as_ptr_range().contains(&stored.json().as_ptr()));
        assert_eq!(stored.line("MODIFIED"), None);
    }

    #[test]
    fn a_value_is_shared_while_somebody_has_it() {
        let resource = Resource::find("", "configmaps").unwrap();
        let json = Bytes::from_static(br#"{"data":{"a":"b"}}"#);
        let stored = Stored::unparsed(Key::new(resource, Some("a"), "b"), 1, json);
        assert_eq!(stored.known_value(), None);
        let value = stored.value();
        assert_eq!(*value, json!({"data":{"a":"b"}}));
        assert!(Arc::ptr_eq(&value, &stored.value()));
        assert!(Arc::ptr_eq(&value, &stored.known_value().unwrap()));
    }
}
