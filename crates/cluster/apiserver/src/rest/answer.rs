//! One object as an answer, in the form that the client asked for.

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use toolforge_kinds::{IncludeObject, Status};

use super::Call;
use crate::negotiate::Form;
use crate::query::Query;
use crate::respond;
use crate::store::Stored;

/// The JSON of an object as its client sees it: the stored bytes, where the kind is stored as itself.
pub(crate) fn bytes(call: &Call, stored: &Stored) -> Bytes {
    if call.shows_as_stored(stored) {
        return stored.json.clone();
    }
    Bytes::from(value(call, stored).to_string())
}

/// The object as its client sees it.
pub(crate) fn value(call: &Call, stored: &Stored) -> Value {
    call.shown(stored)
}

/// An object.
pub(crate) fn object(call: &Call, code: StatusCode, stored: &Stored) -> Result<Response, Status> {
    match call.form {
        Form::Object | Form::GroupDiscovery => Ok(respond::bytes(code, bytes(call, stored))),
        Form::Table => {
            let object = value(call, stored);
            let table = table(call, &[&object], &revision(stored))?;
            Ok(respond::json(code, &table))
        }
        Form::Metadata => Ok(respond::json(code, &partial(&stored.value()))),
    }
}

fn revision(stored: &Stored) -> Value {
    json!({ "resourceVersion": stored.revision.to_string() })
}

/// A table of objects with this list metadata.
pub(crate) fn table(call: &Call, objects: &[&Value], metadata: &Value) -> Result<Value, Status> {
    let include = include(&call.query)?;
    let mut table = call.table(objects, include);
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
