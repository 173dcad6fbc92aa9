//! The subresource `scale`: replicas in the same form for every kind that has them.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use toolforge_kinds::{Status, scale};
use toolforge_patch::TypeRef;

use super::change::{Edit, change};
use super::patch::Patch;
use super::{Call, answer, check_name};
use crate::negotiate::Form;
use crate::store::Stored;
use crate::{body, respond};

/// Answers with the Scale of an object.
pub(crate) async fn read(call: &Call, name: &str) -> Result<Response, Status> {
    let stored = call
        .api
        .store
        .get(&call.key(name))
        .ok_or_else(|| Status::not_found(call.kind, name))?;
    show(call, &stored).await
}

async fn show(call: &Call, stored: &Arc<Stored>) -> Result<Response, Status> {
    let shown = call.as_asked(stored).await?;
    let scale = call
        .scale_of(&answer::value(call, &shown))
        .ok_or_else(Status::no_such_path)?;
    let shown = match call.form {
        Form::Table => {
            let include = answer::include(&call.query)?;
            let mut table = toolforge_kinds::scale_table(&scale, Timestamp::now(), include);
            table["metadata"]["resourceVersion"] = stored.revision.to_string().into();
            table
        }
        Form::Metadata => answer::partial(&scale),
        Form::Object | Form::GroupDiscovery => scale,
    };
    Ok(respond::json(StatusCode::OK, &shown))
}

/// Sets the replicas that a whole Scale asks for.
pub(crate) async fn update(
    call: &Call,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Response, Status> {
    let wanted = body::object(media_type, bytes)?;
    check_name(&wanted, name)?;
    write(call, name, &|_| Ok(wanted.clone())).await
}

/// Sets the replicas that a patched Scale asks for.
pub(crate) async fn patch(
    call: &Call,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Response, Status> {
    let patch = Patch::read(media_type, bytes)?;
    let schema = TypeRef::of("autoscaling", "v1", "Scale");
    write(call, name, &|scale| match &patch {
        Patch::Apply(applied) => Ok(toolforge_patch::merge_patch(scale, applied)),
        other => other.edit(schema, scale),
    })
    .await
}

async fn write(
    call: &Call,
    name: &str,
    wanted: &(dyn Fn(&Value) -> Result<Value, Status> + Send + Sync),
) -> Result<Response, Status> {
    let transform = |old: &Value| {
        let current = call.scale_of(old).ok_or_else(Status::no_such_path)?;
        let wanted = wanted(&current)?;
        let problems = scale::validate(&wanted);
        if !problems.is_empty() {
            return Err(Status::invalid_of("autoscaling", "Scale", name, problems));
        }
        let mut new = call.scale_to(old, &wanted);
        let revision = crate::metadata::text(&wanted, "resourceVersion").to_owned();
        if let Some(fields) = crate::metadata::of(&mut new) {
            fields.insert("resourceVersion".to_owned(), Value::String(revision));
        }
        Ok(new)
    };
    let edit = Edit {
        transform: &transform,
        tracks_itself: false,
        options: "UpdateOptions",
    };
    let (stored, _) = change(call, name, &edit).await?;
    show(call, &stored).await
}
