//! Changes of an object as a JSON patch (RFC 6902), built while they are found. The mutating guards write what they give
//! through it: they know from the typed object what is there, so that nothing is copied, changed and compared.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation};
use serde_json::{Map, Value};

/// Changes of an object, in the order in which they are made.
#[derive(Debug, Default)]
pub(crate) struct Changes(Vec<PatchOperation>);

impl Changes {
    /// Sets a field, or inserts into a list, at a place from the object's top; a key of a map is one token and may have
    /// any character.
    pub(crate) fn add(&mut self, place: &[&str], value: impl Into<Value>) {
        let path = PointerBuf::from_tokens(place.iter().copied());
        let value = value.into();
        self.0.push(PatchOperation::Add(AddOperation { path, value }));
    }

    pub(crate) fn remove(&mut self, place: &[&str]) {
        let path = PointerBuf::from_tokens(place.iter().copied());
        self.0.push(PatchOperation::Remove(RemoveOperation { path }));
    }

    /// Appends to the list at a place, which is made where it is missing.
    pub(crate) fn append(&mut self, place: &[&str], there: bool, items: Vec<Value>) {
        if items.is_empty() {
        } else if there {
            for item in items {
                self.add(&below(place, "-"), item);
            }
        } else {
            self.add(place, items);
        }
    }

    /// Sets fields of the object at a place, which is made where it is missing.
    pub(crate) fn set(&mut self, place: &[&str], there: bool, fields: Map<String, Value>) {
        if fields.is_empty() {
        } else if there {
            for (field, value) in fields {
                self.add(&below(place, &field), value);
            }
        } else {
            self.add(place, fields);
        }
    }

    /// The changes as they are sent.
    pub(crate) fn into_patch(self) -> Vec<PatchOperation> {
        self.0
    }
}

fn below<'a>(place: &[&'a str], token: &'a str) -> Vec<&'a str> {
    place.iter().copied().chain([token]).collect()
}

/// Makes the changes of an object; one that they do not fit stays as it is.
pub(crate) fn apply(object: &mut Value, patch: Vec<PatchOperation>) {
    // Takes back what it did where it fails.
    let _ = json_patch::patch(object, &Patch(patch));
}
