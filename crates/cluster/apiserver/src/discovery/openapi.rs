//! `/openapi/v3`, and what both versions of the schemas have in common: clients keep them under the hash of their
//! content, and ask only whether that has changed.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, EXPIRES, IF_NONE_MATCH, LOCATION, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use toolforge_kinds::Status;

use crate::aggregation::Described;
use crate::definitions::Kinds;
use crate::query::Query;
use crate::respond;

/// `/openapi/v3/api/v1` and `/openapi/v3/apis/GROUP/VERSION`.
pub(super) fn answer(
    offer: &Kinds,
    rest: &[&str],
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, Status> {
    let group_version = match rest {
        ["api", version] => (*version).to_owned(),
        ["apis", group, version] => format!("{group}/{version}"),
        _ => return Err(Status::no_such_path()),
    };
    let (document, hash) = document(offer, &group_version).ok_or_else(Status::no_such_path)?;
    let wanted = query.get("hash");
    if wanted.is_some_and(|wanted| wanted != hash) {
        return Ok(moved(&format!("/openapi/v3/{}?hash={hash}", rest.join("/"))));
    }
    let mut response = if is_known(headers, &hash) {
        not_modified(&hash)
    } else {
        let mut response = respond::large_here(
            StatusCode::OK,
            document.to_vec(),
            toolforge_serve::takes_gzip(headers),
        );
        name(&mut response, &hash);
        response
    };
    if wanted.is_some() {
        keep_for_ever(&mut response);
    }
    Ok(response)
}

/// The document of a group version and its hash.
fn document(offer: &Kinds, group_version: &str) -> Option<(Bytes, String)> {
    if let Some(document) = toolforge_kinds::openapi_v3(group_version) {
        return Some((
            Bytes::from_static(document),
            toolforge_kinds::openapi_hash(group_version),
        ));
    }
    offer.document(group_version)
}

/// The index of all documents.
pub(super) fn index(offer: &Kinds, remotes: &[Described]) -> Value {
    let mut index = toolforge_kinds::openapi_v3_index();
    for (path, hash) in offer.index() {
        index["paths"][&path] = json!({ "serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}") });
    }
    for remote in remotes.iter().filter(|remote| remote.available) {
        if let Some(place) = &remote.openapi {
            let path = format!("apis/{}", remote.group_version());
            index["paths"][&path] = json!({ "serverRelativeURL": place });
        }
    }
    index
}

/// Whether the client has the document with this hash.
pub(super) fn is_known(headers: &HeaderMap, hash: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| matches!(tag.trim().trim_start_matches("W/").trim_matches('"'), found if found == "*" || found == hash))
}

/// The answer to a client that has the document.
pub(super) fn not_modified(hash: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    name(&mut response, hash);
    response
}

/// Says under which hash an answer can be kept.
pub(super) fn name(response: &mut Response, hash: &str) {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{hash}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    let varies = HeaderValue::from_static("Accept, Accept-Encoding");
    response.headers_mut().insert(VARY, varies);
}

/// An address with a hash always leads to the same content.
fn keep_for_ever(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
    let in_a_year = Timestamp::now()
        .checked_add((365 * 24).hours())
        .unwrap_or_default();
    let text = in_a_year.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(EXPIRES, value);
    }
}

fn moved(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(place) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}
