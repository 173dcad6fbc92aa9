//! `/openapi/v2`: one document of all kinds, for clients that do not read v3 yet, and for kubectl, which looks there
//! whether the API checks fields by itself.
//!
//! It is made anew for each request: clients ask for it once and then only whether it has changed.

mod gnostic;

use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::openapi;
use crate::definitions::Kinds;
use crate::respond;

/// The media type of the protobuf form.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// The same as clients ask for it; what they are answered has no `@`, which no reader of media types takes.
const OLD_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// Answers with the document in the form that the client takes, or with 304 when it has that already.
pub(super) fn answer(offer: &Kinds, headers: &HeaderMap) -> Response {
    let as_protobuf = takes_protobuf(headers);
    let mut hash = toolforge_kinds::openapi_hash(if as_protobuf { PROTOBUF } else { "" });
    let index = offer.index();
    if !index.is_empty() {
        let all = format!("{hash} {index:?}");
        hash = format!("{:016X}", xxhash_rust::xxh3::xxh3_64(all.as_bytes()));
    }
    if openapi::is_known(headers, &hash) {
        return openapi::not_modified(&hash);
    }
    let document = toolforge_kinds::openapi_v2(&offer.documents());
    let bytes = if as_protobuf {
        gnostic::encode(&document)
    } else {
        document.to_string().into_bytes()
    };
    let mut response = respond::large_here(StatusCode::OK, bytes, toolforge_serve::takes_gzip(headers));
    if as_protobuf {
        let form = HeaderValue::from_static(PROTOBUF);
        response.headers_mut().insert(CONTENT_TYPE, form);
    }
    openapi::name(&mut response, &hash);
    response
}

/// Whether the client prefers protobuf to JSON.
fn takes_protobuf(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok());
    accepted
        .flat_map(|accept| accept.split(','))
        .find_map(|part| match part.split(';').next().unwrap_or_default().trim() {
            PROTOBUF | OLD_PROTOBUF => Some(true),
            "application/json" | "*/*" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_form_that_is_known() {
        for (accept, expected) in [
            ("application/json", false),
            ("*/*", false),
            (PROTOBUF, true),
            (OLD_PROTOBUF, true),
            (
                "application/json, application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
                false,
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(takes_protobuf(&headers), expected, "{accept}");
        }
    }
}
