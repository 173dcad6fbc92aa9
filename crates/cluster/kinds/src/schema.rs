//! The structure of each kind: which fields there are, and of what type. The API server decodes bodies with it.
//!
//! A body is decoded as Go's decoder would: a value of the wrong type is an error, an unknown field is told and
//! dropped, a null is dropped.

mod decode;
mod shape;
mod table;

use serde_json::Value;

use crate::Status;
use crate::kind::{Kind, Subresource};
use shape::shapes;

/// Paths of fields that the kind does not have, as `unknown field "spec.foo"`.
pub fn unknown_fields(kind: &Kind, object: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(shape) = shapes().root(kind.group, kind.version, kind.kind) {
        decode::unknown(&shape, object, &mut String::new(), &mut unknown);
    }
    unknown
}

/// A 400 in the words of Go's decoder, where a field has a value of another type than its own.
pub fn check_types(kind: &Kind, object: &Value) -> Result<(), Status> {
    Ok(check_as(kind.group, kind.version, kind.kind, object)?)
}

/// Takes away nulls and fields that the kind does not have.
pub fn prune(kind: &Kind, object: &mut Value) {
    if let Some(shape) = shapes().root(kind.group, kind.version, kind.kind) {
        decode::prune(&shape, object);
    }
}

/// All that a server does with a body: checks the types, takes unknown fields away, and tells which they were.
pub fn decode(kind: &Kind, object: &mut Value) -> Result<Vec<String>, Mistyped> {
    decode_as(kind.group, kind.version, kind.kind, object)
}

/// The same for the object that goes through a subresource, such as a `Scale` or an `Eviction`.
pub fn decode_through(
    kind: &Kind,
    subresource: Subresource,
    object: &mut Value,
) -> Result<Vec<String>, Mistyped> {
    let (group, version, name) = subresource.object(kind);
    decode_as(group, version, name, object)
}

/// The 400 of `fieldValidation=Strict`, for what [`decode()`] has told.
pub fn strict_error(kind: &Kind, unknown: &[String]) -> Status {
    let why = format!("strict decoding error: {}", unknown.join(", "));
    cannot_be_handled(kind.version, kind.kind, &why)
}

fn decode_as(group: &str, version: &str, kind: &str, object: &mut Value) -> Result<Vec<String>, Mistyped> {
    check_as(group, version, kind, object)?;
    let mut unknown = Vec::new();
    if let Some(shape) = shapes().root(group, version, kind) {
        decode::unknown(&shape, object, &mut String::new(), &mut unknown);
        decode::prune(&shape, object);
    }
    Ok(unknown)
}

fn check_as(group: &str, version: &str, kind: &str, object: &Value) -> Result<(), Mistyped> {
    let Some(shape) = shapes().root(group, version, kind) else {
        return Ok(());
    };
    decode::check(&shape, object).map_err(|why| Mistyped {
        version: version.to_owned(),
        kind: kind.to_owned(),
        why,
    })
}

fn cannot_be_handled(version: &str, kind: &str, why: &str) -> Status {
    Status::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
    ))
}

/// A value of the wrong type in an object. As a [`Status`] it is the 400 for a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistyped {
    version: String,
    kind: String,
    why: String,
}

impl Mistyped {
    /// What is wrong, in the words of Go's decoder.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The same found in an object of another kind.
    pub(crate) fn of_kind(self, kind: &Kind) -> Self {
        Self {
            version: kind.version.to_owned(),
            kind: kind.kind.to_owned(),
            ..self
        }
    }
}

impl From<Mistyped> for Status {
    fn from(found: Mistyped) -> Self {
        cannot_be_handled(&found.version, &found.kind, &found.why)
    }
}

#[cfg(test)]
mod tests;
