//! `get`.

use axum::response::Response;
use http::StatusCode;
use toolforge_kinds::Status;

use super::{Call, answer};

/// Answers with one object.
pub(crate) fn answer(call: &Call, name: &str) -> Result<Response, Status> {
    let stored = call
        .api
        .store
        .get(&call.key(name))
        .ok_or_else(|| Status::not_found(call.kind, name))?;
    answer::object(call, StatusCode::OK, &stored)
}
