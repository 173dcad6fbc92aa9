//! From an event to the line of one watch: does it pass, as which type, in which form.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use toolforge_kinds::Status;

use crate::negotiate::Form;
use crate::rest::{Call, object_bytes, object_value, partial_json, table};
use crate::selector::Selector;
use crate::store::{Effect, Event, Previous, Stored, stamp_revision, watch_line};

/// What one watch shows of events.
pub(crate) struct Lines {
    call: Arc<Call>,
    selector: Selector,
    namespace: Option<String>,
    /// Whether the shared bytes of an event can be sent as they are.
    is_plain: bool,
}

impl Lines {
    /// The lines of a request.
    pub(crate) fn new(call: Arc<Call>, selector: Selector, namespace: Option<String>) -> Self {
        let is_plain = call.form == Form::Object && call.kind == call.stored;
        Self {
            call,
            selector,
            namespace,
            is_plain,
        }
    }

    /// The namespace that the watch is limited to.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Whether what was there before an event decides on what is shown of it.
    pub(crate) fn selects(&self) -> bool {
        !self.selector.is_everything()
    }

    fn passes(&self, stored: &Stored) -> bool {
        self.selector.matches_stored(self.call.fields(), stored)
    }

    /// An object that is there when the watch begins.
    pub(crate) fn added(&self, stored: &Stored) -> Option<Bytes> {
        self.passes(stored).then(|| self.line("ADDED", stored))
    }

    /// An event; `None` when the watch does not show it.
    pub(crate) fn event(&self, event: &Event) -> Option<Bytes> {
        if self
            .namespace
            .as_ref()
            .is_some_and(|namespace| *namespace != event.object.key.namespace)
        {
            return None;
        }
        if self.selector.is_everything() {
            return Some(if self.is_plain && self.call.shows_as_stored(&event.object) {
                event.line()
            } else {
                self.line(event.word(), &event.object)
            });
        }
        let before = match &event.previous {
            Previous::Nothing => Some(false),
            Previous::Known(stored) => Some(self.passes(stored)),
            Previous::Unknown => None,
        };
        let after = event.effect == Effect::Put && self.passes(&event.object);
        match (before, after) {
            (Some(false), false) => None,
            (Some(false), true) => Some(self.line("ADDED", &event.object)),
            (Some(true) | None, true) => Some(self.line("MODIFIED", &event.object)),
            (Some(true) | None, false) => Some(self.gone(event)),
        }
    }

    /// The object as it was when it last passed, with the revision of the event that took it away.
    fn gone(&self, event: &Event) -> Bytes {
        match &event.previous {
            Previous::Known(before) if event.effect == Effect::Put => {
                let mut value = Value::clone(&before.value());
                stamp_revision(&mut value, event.revision());
                self.line("DELETED", &Stored::draft(before.key.clone(), value))
            }
            _ => self.line("DELETED", &event.object),
        }
    }

    fn line(&self, word: &str, stored: &Stored) -> Bytes {
        match self.call.form {
            Form::Object | Form::GroupDiscovery => watch_line(word, &object_bytes(&self.call, stored)),
            Form::Metadata => watch_line(word, &partial_json(&stored.json())),
            Form::Table => {
                let value = object_value(&self.call, stored);
                let revision = value
                    .pointer("/metadata/resourceVersion")
                    .cloned()
                    .unwrap_or_default();
                let metadata = json!({ "resourceVersion": revision });
                match table(&self.call, &[&value], &metadata) {
                    Ok(table) => watch_line(word, table.to_string().as_bytes()),
                    Err(status) => error(&status),
                }
            }
        }
    }

    /// A line that tells the revision, and perhaps that the first objects are complete.
    pub(crate) fn bookmark(&self, revision: u64, initial_end: bool) -> Bytes {
        let mut metadata = json!({ "resourceVersion": revision.to_string(), "creationTimestamp": null });
        if initial_end {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = match self.call.form {
            Form::Table => json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                "columnDefinitions": [], "rows": [],
            }),
            Form::Metadata => {
                json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata })
            }
            Form::Object | Form::GroupDiscovery => json!({
                "kind": self.call.kind.kind, "apiVersion": self.call.kind.api_version(), "metadata": metadata,
            }),
        };
        watch_line("BOOKMARK", object.to_string().as_bytes())
    }
}

/// The line that ends a watch with a reason.
pub(crate) fn error(status: &Status) -> Bytes {
    watch_line("ERROR", status.to_value().to_string().as_bytes())
}
