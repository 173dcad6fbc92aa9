//! `update`: a whole new state. Some kinds are created by it, and some want to be told which revision it replaces.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use toolforge_kinds::{FieldError, Status};

use super::change::{Edit, change};
use super::create::{Tracking, create_object};
use super::{Call, answer, approval, check_name, decode, patch};
use crate::store::Stored;
use crate::{metadata, respond};

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
    let created = create(call, name, &object).await?;
    let code = created.as_ref().map_or(StatusCode::OK, |_| StatusCode::CREATED);
    let (stored, mut warnings) = match created {
        Some(created) => created,
        None => replace(call, name, &object).await?,
    };
    warnings.splice(0..0, decoded.warnings);
    let mut response = answer::object(call, code, &stored).await?;
    respond::warn(&mut response, &warnings);
    Ok(response)
}

type Written = (Arc<Stored>, Vec<String>);

async fn replace(call: &Call, name: &str, object: &Value) -> Result<Written, Status> {
    let transform = |_: &Value| {
        check_revision(call, name, object)?;
        Ok(object.clone())
    };
    let edit = Edit {
        transform: &transform,
        tracks_itself: false,
        options: "UpdateOptions",
    };
    change(call, name, &edit).await
}

/// Objects of some kinds are not replaced by who does not say which revision is meant.
fn check_revision(call: &Call, name: &str, object: &Value) -> Result<(), Status> {
    let names_none = matches!(metadata::text(object, "resourceVersion"), "" | "0");
    if !(names_none && call.kind.is_replaced_by_revision_only()) {
        return Ok(());
    }
    let problem = FieldError::invalid("metadata.resourceVersion", 0, "must be specified for an update");
    // Kubernetes names the resource here, not the kind.
    let (group, plural) = (call.kind.group, call.kind.plural);
    Err(Status::invalid_of(group, plural, name, vec![problem]))
}

/// Creates what is not there, where an update of the kind may; nothing when it is for the update.
async fn create(call: &Call, name: &str, object: &Value) -> Result<Option<Written>, Status> {
    let is_missing = || call.api.store.get(&call.key(name)).is_none();
    if call.subresource.is_some() || !call.kind.is_created_by_update() || !is_missing() {
        return Ok(None);
    }
    let uid = metadata::text(object, "uid");
    if !uid.is_empty() {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: ");
        return Err(Status::conflict(call.kind, name, &why));
    }
    patch::require_create(call)?;
    let mut object = object.clone();
    if let Some(fields) = metadata::of(&mut object) {
        fields.remove("resourceVersion");
        fields.insert("name".to_owned(), name.into());
    }
    match create_object(call, object, Tracking::Here).await {
        // Somebody else was faster: then it is an update.
        Err(status) if status.reason == "AlreadyExists" => Ok(None),
        created => created.map(Some),
    }
}
