//! A stored object: its JSON bytes once, and its parsed value for as long as somebody has a use for it.
//!
//! Reads and watches send the bytes as they are; only writers, tables and the built-in parts need the value, which is
//! many times as large. Values that were needed lately are kept, up to a bound; all others go with their last user.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;

use super::key::Key;
use super::recent;

/// One revision of one object. Immutable, shared by reference.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Where it lives.
    pub(crate) key: Key,
    /// The revision of the write that made it; its `metadata.resourceVersion`.
    pub(crate) revision: u64,
    /// The object as JSON, resource version included.
    pub(crate) json: Bytes,
    value: Mutex<Weak<Value>>,
}

impl Stored {
    /// An object read from disk; parsed when first needed.
    pub(crate) fn unparsed(key: Key, revision: u64, json: Bytes) -> Self {
        Self {
            key,
            revision,
            json,
            value: Mutex::new(Weak::new()),
        }
    }

    /// Stamps `value` with `revision` and serialises it.
    pub(crate) fn stamp(key: Key, revision: u64, mut value: Value) -> Self {
        stamp_revision(&mut value, revision);
        Self::written(key, revision, value)
    }

    /// What a dry run would have written; it has no revision of its own.
    pub(crate) fn draft(key: Key, value: Value) -> Self {
        Self::written(key, 0, value)
    }

    fn written(key: Key, revision: u64, value: Value) -> Self {
        let json = Bytes::from(serde_json::to_vec(&value).expect("a JSON value always serialises"));
        let value = Arc::new(value);
        let known = Mutex::new(Arc::downgrade(&value));
        recent::keep(value, json.len());
        Self {
            key,
            revision,
            json,
            value: known,
        }
    }

    /// The object as a value.
    pub(crate) fn value(&self) -> Arc<Value> {
        let mut known = self.value.lock();
        if let Some(value) = known.upgrade() {
            return value;
        }
        let parsed = serde_json::from_slice(&self.json).unwrap_or_else(|problem| {
            // The journal has checksums; a value that passes them and is no JSON was never written by us.
            tracing::error!(key = %self.key, %problem, "stored object is not JSON");
            Value::Null
        });
        let value = Arc::new(parsed);
        *known = Arc::downgrade(&value);
        recent::keep(value.clone(), self.json.len());
        value
    }

    /// The object as a value, when it need not be parsed for that.
    pub(crate) fn known_value(&self) -> Option<Arc<Value>> {
        self.value.lock().upgrade()
    }
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
    use crate::store::Resource;

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
