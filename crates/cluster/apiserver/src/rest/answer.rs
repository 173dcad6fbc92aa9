//! One object as an answer, in the form that the client asked for.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
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
        return stored.json();
    }
    Bytes::from(value(call, stored).to_string())
}

/// The object as its client sees it.
pub(crate) fn value(call: &Call, stored: &Stored) -> Value {
    call.shown(stored)
}

/// An object that was read from the store or written to it.
pub(crate) async fn object(call: &Call, code: StatusCode, stored: &Arc<Stored>) -> Result<Response, Status> {
    let stored = call.as_asked(stored).await?;
    match call.form {
        Form::Object | Form::GroupDiscovery => Ok(respond::bytes(code, bytes(call, &stored))),
        Form::Table => {
            let object = value(call, &stored);
            let table = table(call, &[&object], &revision(&stored))?;
            Ok(respond::json(code, &table))
        }
        Form::Metadata => Ok(respond::bytes(code, partial_json(&stored.json()))),
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

/// The one part of an object that its metadata form shows.
#[derive(Deserialize)]
struct Outline<'json> {
    #[serde(borrow, default)]
    metadata: Option<&'json RawValue>,
}

/// The metadata of a stored object as an object of its own: cut out of its JSON, because a metadata watch of a busy kind
/// would else parse and write again each object that changes.
pub(crate) fn partial_json(json: &[u8]) -> Vec<u8> {
    let outline = serde_json::from_slice(json).unwrap_or(Outline { metadata: None });
    let metadata = outline.metadata.map_or("{}", RawValue::get);
    let mut partial = Vec::with_capacity(PARTIAL_HEAD.len() + metadata.len() + 1);
    partial.extend_from_slice(PARTIAL_HEAD);
    partial.extend_from_slice(metadata.as_bytes());
    partial.push(b'}');
    partial
}

/// What stands before the metadata of a `PartialObjectMetadata`.
const PARTIAL_HEAD: &[u8] = br#"{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":"#;

/// The metadata of an object that is not stored as an object of its own.
pub(crate) fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_cut_out_as_it_is_written() {
        let stored = br#"{"apiVersion":"v1","data":{"metadata":"no"},"kind":"ConfigMap","metadata":{"name":"a","labels":{"b":"\"}"}}}"#;
        let object: Value = serde_json::from_slice(stored).expect("JSON");
        let cut: Value = serde_json::from_slice(&partial_json(stored)).expect("JSON");
        assert_eq!(cut, partial(&object));
        assert_eq!(cut["metadata"]["labels"]["b"], "\"}");
    }
}
