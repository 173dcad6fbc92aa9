//! From a request body to an object of the right kind.

use serde_json::Value;
use toolforge_kinds::{Kind, Mistyped, Status, Subresource};

use super::{Call, check_name};
use crate::{body, metadata};

/// What to do with fields that the kind does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    Ignore,
    Warn,
    Refuse,
}

/// An object from a body, and what its author should be told.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) object: Value,
    pub(crate) warnings: Vec<String>,
}

/// Reads the body of a create or update.
pub(crate) fn body(call: &Call, media_type: &str, bytes: &[u8]) -> Result<Decoded, Status> {
    let (mut object, twice) = body::object_strictly(media_type, bytes)?;
    check_kind(call.kind, &mut object)?;
    check_namespace(call, &object)?;
    let warnings = fields(call, &mut object, twice, |fault| match fault {
        Fault::Type(found) => found.into(),
        Fault::Strict(found) => toolforge_kinds::strict_error(call.kind, &found),
    })?;
    Ok(Decoded { object, warnings })
}

/// Reads what is posted through a subresource to the object `name`, such as a `Binding`. Unknown fields do not stay.
pub(crate) fn posted(
    call: &Call,
    door: Subresource,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Value, Status> {
    let mut object = body::object(media_type, bytes)?;
    let (group, version, kind) = door.object(call.kind);
    let version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    check_is(&version, kind, &mut object)?;
    check_name(&object, name)?;
    check_namespace(call, &object)?;
    toolforge_kinds::decode_through(call.kind, door, &mut object)?;
    if let Some(fields) = metadata::of(&mut object) {
        fields.insert("name".to_owned(), Value::String(name.to_owned()));
        if let Some(namespace) = &call.namespace {
            fields.insert("namespace".to_owned(), Value::String(namespace.clone()));
        }
    }
    Ok(object)
}

/// Why the fields of an object are refused.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A value has the wrong type.
    Type(Mistyped),
    /// What `fieldValidation=Strict` refuses: unknown fields, and those that are there twice.
    Strict(Vec<String>),
}

/// Checks types and unknown fields as `fieldValidation` asks; unknown fields do not stay. `twice` are the fields that
/// the body has more than once; `refuse` makes the answer to whom the object is refused.
pub(crate) fn fields(
    call: &Call,
    object: &mut Value,
    twice: Vec<String>,
    refuse: impl FnOnce(Fault) -> Status,
) -> Result<Vec<String>, Status> {
    let unknown = match call.query.get("fieldValidation") {
        Some("Ignore") => Unknown::Ignore,
        Some("Strict") => Unknown::Refuse,
        Some(_) | None => Unknown::Warn,
    };
    let mut found = twice;
    match call.decode(object) {
        Ok(unknown) => found.extend(unknown),
        Err(mistyped) => return Err(refuse(Fault::Type(mistyped))),
    }
    match unknown {
        Unknown::Ignore => Ok(Vec::new()),
        Unknown::Warn => Ok(found),
        Unknown::Refuse if found.is_empty() => Ok(found),
        Unknown::Refuse => Err(refuse(Fault::Strict(found))),
    }
}

/// The object must be of the kind that the path names; it is filled in where the object says nothing.
pub(crate) fn check_kind(kind: &Kind, object: &mut Value) -> Result<(), Status> {
    check_is(&kind.api_version(), kind.kind, object)
}

fn check_is(version: &str, kind: &str, object: &mut Value) -> Result<(), Status> {
    let Some(map) = object.as_object_mut() else {
        return Err(Status::bad_request("the body of the request is not an object"));
    };
    for (field, expected) in [("apiVersion", version), ("kind", kind)] {
        let found = map.get(field).and_then(Value::as_str).unwrap_or_default();
        if found.is_empty() {
            map.insert(field.to_owned(), Value::String(expected.to_owned()));
        } else if found != expected {
            return Err(Status::bad_request(format!(
                "{field} in the data ({found}) does not match the expected {field} ({expected})"
            )));
        }
    }
    Ok(())
}

fn check_namespace(call: &Call, object: &Value) -> Result<(), Status> {
    let found = metadata::text(object, "namespace");
    match &call.namespace {
        Some(namespace) if !found.is_empty() && found != namespace => Err(Status::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request ({found} is not {namespace})"
        ))),
        _ => Ok(()),
    }
}
