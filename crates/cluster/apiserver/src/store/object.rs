//! A stored object: its JSON bytes once, and its parsed value when somebody asks.
//!
//! Reads and watches send the bytes as they are; only selectors, tables and writers need the value.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;

use super::key::Key;

/// One revision of one object. Immutable, shared by reference.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Where it lives.
    pub(crate) key: Key,
    /// The revision of the write that made it; its `metadata.resourceVersion`.
    pub(crate) revision: u64,
    /// The object as JSON, resource version included.
    pub(crate) json: Bytes,
    value: OnceLock<Arc<Value>>,
}

impl Stored {
    /// An object read from disk; parsed when first needed.
    pub(crate) fn unparsed(key: Key, revision: u64, json: Bytes) -> Self {
        Self {
            key,
            revision,
            json,
            value: OnceLock::new(),
        }
    }

    /// Stamps `value` with `revision` and serialises it.
    pub(crate) fn stamp(key: Key, revision: u64, mut value: Value) -> Self {
        stamp_revision(&mut value, revision);
        let json = Bytes::from(serde_json::to_vec(&value).expect("a JSON value always serialises"));
        Self {
            key,
            revision,
            json,
            value: OnceLock::from(Arc::new(value)),
        }
    }

    /// What a dry run would have written; it has no revision of its own.
    pub(crate) fn draft(key: Key, value: Value) -> Self {
        let json = Bytes::from(serde_json::to_vec(&value).expect("a JSON value always serialises"));
        Self {
            key,
            revision: 0,
            json,
            value: OnceLock::from(Arc::new(value)),
        }
    }

    /// The object as a value.
    pub(crate) fn value(&self) -> &Arc<Value> {
        self.value.get_or_init(|| {
            let parsed = serde_json::from_slice(&self.json).unwrap_or_else(|problem| {
                // The journal has checksums; a value that passes them and is no JSON was never written by us.
                tracing::error!(key = %self.key, %problem, "stored object is not JSON");
                Value::Null
            });
            Arc::new(parsed)
        })
    }
}

/// Writes `metadata.resourceVersion`.
pub(crate) fn stamp_revision(value: &mut Value, revision: u64) {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".to_owned(), Value::String(revision.to_string()));
    }
}
