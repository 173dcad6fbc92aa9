//! `update`: a whole new state.

use axum::response::Response;
use http::StatusCode;
use toolforge_kinds::Status;

use super::change::{Edit, change};
use super::{Call, answer, approval, check_name, decode};
use crate::respond;

/// Replaces an object, or the part of it that the subresource is about.
pub(crate) async fn answer(
    call: &Call,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Response, Status> {
    let decoded = decode::body(call, media_type, bytes)?;
    check_name(&decoded.object, name)?;
    approval::check(call, name)?;
    let object = decoded.object;
    let edit = |_: &serde_json::Value| Ok(object.clone());
    let edit = Edit {
        transform: &edit,
        tracks_itself: false,
        options: "UpdateOptions",
    };
    let (stored, mut warnings) = change(call, name, &edit).await?;
    warnings.splice(0..0, decoded.warnings);
    let mut response = answer::object(call, StatusCode::OK, &stored).await?;
    respond::warn(&mut response, &warnings);
    Ok(response)
}
