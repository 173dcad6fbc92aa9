//! An object on its way through everything that may change it.

use std::collections::HashMap;

use serde_json::Value;

/// The object, what was said about it, and which webhook saw which state of it.
#[derive(Debug)]
pub(crate) struct Mutation {
    object: Option<Value>,
    warnings: Vec<String>,
    state: usize,
    /// By configuration and webhook: the state after the webhook's last answer.
    seen: HashMap<(String, String), usize>,
}

impl Mutation {
    pub(crate) fn of(object: Option<Value>) -> Self {
        Self {
            object,
            warnings: Vec::new(),
            state: 0,
            seen: HashMap::new(),
        }
    }

    pub(crate) fn object(&self) -> Option<&Value> {
        self.object.as_ref()
    }

    /// Changes the object, and notes whether that made a difference.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Value)) {
        if let Some(object) = &mut self.object {
            let before = object.clone();
            change(object);
            self.state += usize::from(*object != before);
        }
    }

    pub(crate) fn replace(&mut self, new: Value) {
        self.change(|object| *object = new);
    }

    /// Differs when the object has changed in between.
    pub(crate) fn state(&self) -> usize {
        self.state
    }

    pub(crate) fn warn(&mut self, warnings: Vec<String>) {
        self.warnings.extend(warnings);
    }

    pub(crate) fn note_seen(&mut self, configuration: &str, webhook: &str) {
        self.seen
            .insert((configuration.to_owned(), webhook.to_owned()), self.state);
    }

    /// Whether a webhook was asked, and somebody changed the object afterwards.
    pub(crate) fn changed_since(&self, configuration: &str, webhook: &str) -> bool {
        let key = (configuration.to_owned(), webhook.to_owned());
        self.seen.get(&key).is_some_and(|state| *state != self.state)
    }

    pub(crate) fn into_parts(self) -> (Option<Value>, Vec<String>) {
        (self.object, self.warnings)
    }
}
