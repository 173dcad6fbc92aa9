//! `/openapi/v2`, as far as clients still need it: kubectl looks there whether the API checks fields by itself, for
//! `kind: List` and for kinds that it does not know. Schemas are in `/openapi/v3` only.
//!
//! Pure. kubectl takes the document as protobuf alone, in the messages of gnostic's `OpenAPIv2.proto`.

use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use toolforge_kinds::Kind;

use crate::respond;

/// The media type of the protobuf form.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// What it is recognised by in `Accept`; older clients write the rest differently.
const PROTOBUF_MARK: &str = "proto-openapi.spec.v2";
const TITLE: &str = "Toolforge";
/// The extension of operations that names their kind.
const KIND: &str = "x-kubernetes-group-version-kind";
/// The parameter of writes that asks for checks of fields.
const VALIDATION: &str = "fieldValidation";

/// Answers with the document in the form that the client takes.
pub(super) fn answer(headers: &HeaderMap) -> Response {
    let takes_protobuf = headers
        .get_all(ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains(PROTOBUF_MARK)));
    if !takes_protobuf {
        return respond::json(StatusCode::OK, &document());
    }
    let mut response = respond::bytes(StatusCode::OK, Bytes::from(encoded()));
    let form = HeaderValue::from_static(PROTOBUF);
    response.headers_mut().insert(CONTENT_TYPE, form);
    response
}

/// The kinds that can be patched, each with the path of its objects.
fn patchable() -> impl Iterator<Item = (String, &'static Kind)> {
    toolforge_kinds::all()
        .iter()
        .filter(|kind| kind.verbs.contains("patch"))
        .map(|kind| {
            let root = if kind.group.is_empty() { "api" } else { "apis" };
            let place = if kind.namespaced {
                "namespaces/{namespace}/"
            } else {
                ""
            };
            let path = format!("/{root}/{}/{place}{}/{{name}}", kind.api_version(), kind.plural);
            (path, kind)
        })
}

fn words(kind: &Kind) -> Value {
    json!({ "group": kind.group, "version": kind.version, "kind": kind.kind })
}

fn document() -> Value {
    let paths: Map<String, Value> = patchable()
        .map(|(path, kind)| {
            let parameter = json!({ "name": VALIDATION, "in": "query", "type": "string" });
            let responses = json!({ "200": { "description": "OK" } });
            (
                path,
                json!({ "patch": { "parameters": [parameter], "responses": responses, KIND: words(kind) } }),
            )
        })
        .collect();
    json!({
        "swagger": "2.0",
        "info": { "title": TITLE, "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "definitions": {},
    })
}

fn encoded() -> Vec<u8> {
    let info = [text(1, TITLE), text(2, env!("CARGO_PKG_VERSION"))].concat();
    let paths: Vec<u8> = patchable()
        .flat_map(|(path, kind)| {
            let item = message(8, &patch(kind));
            message(2, &[text(1, &path), message(2, &item)].concat())
        })
        .collect();
    [text(1, "2.0"), message(2, &info), message(8, &paths)].concat()
}

/// An operation with its parameter and the extension, whose value is YAML and thus may be JSON.
fn patch(kind: &Kind) -> Vec<u8> {
    let query = [text(2, "query"), text(4, VALIDATION), text(6, "string")].concat();
    let parameter = message(1, &message(2, &message(3, &query)));
    let value = text(2, &words(kind).to_string());
    let extension = [text(1, KIND), message(2, &value)].concat();
    [message(8, &parameter), message(13, &extension)].concat()
}

fn text(tag: u64, text: &str) -> Vec<u8> {
    message(tag, text.as_bytes())
}

/// A field whose value is bytes: a string or a message.
fn message(tag: u64, value: &[u8]) -> Vec<u8> {
    const LENGTH_DELIMITED: u64 = 2;
    let mut bytes = varint(tag << 3 | LENGTH_DELIMITED);
    bytes.extend(varint(value.len() as u64));
    bytes.extend(value);
    bytes
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7F) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_can_be_patched_is_there_in_both_forms() {
        let document = document();
        let web = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
        assert_eq!(document["paths"][web]["patch"][KIND]["kind"], "Deployment");
        let node = &document["paths"]["/api/v1/nodes/{name}"]["patch"];
        assert_eq!(node["parameters"][0]["name"], "fieldValidation");
        let encoded = String::from_utf8_lossy(&encoded()).into_owned();
        for path in document["paths"].as_object().unwrap().keys() {
            assert!(encoded.contains(path), "{path}");
        }
    }

    #[test]
    fn lengths_and_tags_are_varints() {
        assert_eq!(varint(1), [1]);
        assert_eq!(varint(300), [0xAC, 0x02]);
        assert_eq!(text(13, "a"), [0x6A, 1, b'a']);
    }
}
