//! `get`.

use axum::response::Response;
use http::StatusCode;
use toolforge_kinds::Status;

use super::{Call, answer, list};

/// Answers with one object.
pub(crate) async fn answer(call: &Call, name: &str) -> Result<Response, Status> {
    if let Some(revision) = call.query.get("resourceVersion") {
        list::wait_for(call, list::parse_revision(revision)?).await?;
    }
    let stored = call
        .api
        .store
        .get(&call.key(name))
        .ok_or_else(|| Status::not_found(call.kind, name))?;
    answer::object(call, StatusCode::OK, &stored).await
}
