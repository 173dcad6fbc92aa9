//! `GET /backup`: all objects at one revision, as `toolforge cluster backup` keeps them, while everybody goes on writing.
//!
//! Who may `get` this path is RBAC's to say; of the roles that are there from the start it is only `cluster-admin`. Secrets
//! in the answer are sealed with the store's key.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Method, header};
use toolforge_kinds::Status;

use crate::api::Api;

/// Where it is.
pub(crate) const PATH: &str = "/backup";

/// Answers with the stream of a backup; it is complete when its last record says so.
pub(crate) fn answer(api: &Api, method: &Method) -> Result<Response, Status> {
    if method != Method::GET {
        return Err(Status::method_not_allowed());
    }
    let pieces = api.store.backup().map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(futures::stream::iter(pieces)));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    Ok(response)
}
