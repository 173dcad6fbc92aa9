//! One object as an answer, in the form that the client asked for.

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use toolforge_kinds::{IncludeObject, Kind, Status};

use super::Call;
use crate::negotiate::Form;
use crate::query::Query;
use crate::respond;
use crate::store::Stored;

/// The JSON of an object as its client sees it: the stored bytes, where the kind is stored as itself.
pub(crate) fn bytes(kind: &'static Kind, stored: &Stored) -> Bytes {
    if toolforge_kinds::storage_kind(kind) == kind {
        return stored.json.clone();
    }
    Bytes::from(value(kind, stored).to_string())
}

/// The object as its client sees it.
pub(crate) fn value(kind: &'static Kind, stored: &Stored) -> Value {
    let object = Value::clone(stored.value());
    let own = toolforge_kinds::storage_kind(kind);
    if own == kind {
        object
    } else {
        toolforge_kinds::convert(own, kind, object)
    }
}

/// An object.
pub(crate) fn object(call: &Call, code: StatusCode, stored: &Stored) -> Result<Response, Status> {
    match call.form {
        Form::Object | Form::GroupDiscovery => Ok(respond::bytes(code, bytes(call.kind, stored))),
        Form::Table => {
            let object = value(call.kind, stored);
            let table = table(call.kind, &call.query, &[&object], &revision(stored))?;
            Ok(respond::json(code, &table))
        }
        Form::Metadata => Ok(respond::json(code, &partial(stored.value()))),
    }
}

fn revision(stored: &Stored) -> Value {
    json!({ "resourceVersion": stored.revision.to_string() })
}

/// A table of objects with this list metadata.
pub(crate) fn table(
    kind: &'static Kind,
    query: &Query,
    objects: &[&Value],
    metadata: &Value,
) -> Result<Value, Status> {
    let include = include(query)?;
    let mut table = toolforge_kinds::table(kind, objects, Timestamp::now(), include);
    if let Some(map) = table.as_object_mut() {
        map.insert("metadata".to_owned(), metadata.clone());
    }
    Ok(table)
}

/// How much of each object a table's rows hold.
pub(super) fn include(query: &Query) -> Result<IncludeObject, Status> {
    match query.get("includeObject") {
        None | Some("Metadata") => Ok(IncludeObject::Metadata),
        Some("None") => Ok(IncludeObject::None),
        Some("Object") => Ok(IncludeObject::Object),
        Some(other) => Err(Status::bad_request(format!(
            "includeObject: Unsupported value: {other:?}: supported values: \"Metadata\", \"None\", \"Object\""
        ))),
    }
}

/// The metadata of an object as an object of its own.
pub(crate) fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}
