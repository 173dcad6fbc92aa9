//! `create`: from a body to a stored object.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use toolforge_chain::Operation;
use toolforge_kinds::{FieldError, Status, Subresource};

use super::{Call, answer, decode};
use crate::admit::Request;
use crate::authz::escalation;
use crate::store::{Change, CommitError, Effect, Expected, Key, Resource, Stored};
use crate::{builtin, fail, metadata, respond};

/// Tries to find a free name for `generateName`, and rounds of a create whose namespace changes meanwhile.
const ATTEMPTS: usize = 8;

/// Creates an object from a request body.
pub(crate) async fn answer(call: &Call, media_type: &str, bytes: &[u8]) -> Result<Response, Status> {
    if call.kind.namespaced && call.namespace.is_none() {
        return Err(Status::method_not_allowed());
    }
    let decoded = decode::body(call, media_type, bytes)?;
    if !metadata::text(&decoded.object, "resourceVersion").is_empty() {
        return Err(Status::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let (stored, mut warnings) = create_object(call, decoded.object, Tracking::Here).await?;
    warnings.splice(0..0, decoded.warnings);
    let mut response = answer::object(call, StatusCode::CREATED, &stored).await?;
    respond::warn(&mut response, &warnings);
    Ok(response)
}

/// Who writes `managedFields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// The create does.
    Here,
    /// Server-side apply has.
    Done,
}

/// Creates an object that has been decoded. Also returns what webhooks want its author to know.
pub(crate) async fn create_object(
    call: &Call,
    object: Value,
    tracking: Tracking,
) -> Result<(Arc<Stored>, Vec<String>), Status> {
    let generated = metadata::text(&object, "name").is_empty();
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match attempt(call, object.clone(), tracking).await? {
            Ok(done) => return Ok(done),
            Err((name, CommitError::Exists)) if generated && !name.is_empty() => {
                last = Some(Status::generate_name_conflict(call.kind, &name));
            }
            Err((_, CommitError::Changed)) => last = None,
            Err((name, problem)) => return Err(refused(call, &name, problem)),
        }
    }
    Err(last.unwrap_or_else(|| Status::server_timeout(call.kind, "create", 1)))
}

/// What the author of an object that was not written is told; that a name is about to be free is worth knowing.
fn refused(call: &Call, name: &str, problem: CommitError) -> Status {
    let mut status = fail::commit(call.kind, name, problem);
    if status.reason == "AlreadyExists" {
        let holder = call.api.store.get(&call.key(name));
        if holder.is_some_and(|holder| metadata::is_deleting(&holder.value())) {
            status.message = format!("object is being deleted: {}", status.message);
        }
    }
    status
}

type Attempt = Result<(Arc<Stored>, Vec<String>), (String, CommitError)>;

async fn attempt(call: &Call, mut object: Value, tracking: Tracking) -> Result<Attempt, Status> {
    let now = metadata::time(Timestamp::now());
    let old_name = metadata::text(&object, "name").to_owned();
    let name = place(call, &mut object, &now)?;
    let guards: Vec<_> = [namespace_guard(call)?, call.definition_guard()?]
        .into_iter()
        .flatten()
        .collect();
    if !call.dry_run && old_name == name && call.api.store.get(&call.key(&name)).is_some() {
        return Ok(Err((name, CommitError::Exists)));
    }
    call.apply_defaults(&mut object);
    if tracking == Tracking::Here {
        track(call, &mut object, &now);
    }
    complete(call, &mut object);
    let request = Request::new(call, Operation::Create, &name, options(call));
    let (mut object, mut warnings) = request.mutate(object, None).await?;
    complete(call, &mut object);
    let reserved = call.api.addresses.reserve(call.kind, None, &mut object)?;
    let problems: Vec<FieldError> = call.validate_create(&object);
    if !problems.is_empty() {
        return Err(Status::invalid(call.kind, &name, problems));
    }
    escalation::check(
        &call.api.access,
        &call.api.store,
        &call.user,
        call.kind,
        &object,
        None,
    )?;
    warnings.extend(toolforge_kinds::warnings(call.kind, &object));
    warnings.extend(request.validate(Some(&object), None).await?);
    let key = call.key(&name);
    let converted = call.converted_to_stored(&object).await?;
    let quota = request.within_quota(&object, None).await?;
    let value = converted.unwrap_or_else(|| call.to_stored(object));
    if call.dry_run {
        if call.api.store.get(&key).is_some() {
            return Ok(Err((name.clone(), CommitError::Exists)));
        }
        return Ok(Ok((Arc::new(Stored::draft(key, value)), warnings)));
    }
    let change = Change {
        key,
        expected: Expected::Absent,
        effect: Effect::Put,
        value,
        guards,
    };
    let outcome = call.api.store.commit(change).await;
    drop(quota);
    Ok(match outcome {
        Ok(stored) => {
            reserved.keep();
            Ok((stored, warnings))
        }
        Err(problem) => Err((name.clone(), problem)),
    })
}

/// Defaults, and what an object may be at birth; before webhooks see it and, since they may change anything, after.
fn complete(call: &Call, object: &mut Value) {
    call.apply_defaults(object);
    toolforge_kinds::prepare_for_create(call.kind, object);
    builtin::on_create(call, object);
}

/// Notes that the author owns what it wrote and what follows from that by default; what admission and the API add is
/// nobody's, and a status is not written through this door.
fn track(call: &Call, object: &mut Value, now: &str) {
    let schema = call.merge_type();
    let has_door = call.kind.has(Subresource::Status);
    let status = object
        .as_object_mut()
        .filter(|_| has_door)
        .and_then(|map| map.remove("status"));
    toolforge_patch::track_update(schema, None, object, &call.manager, None, now);
    if let (Some(status), Some(map)) = (status, object.as_object_mut()) {
        map.insert("status".to_owned(), status);
    }
}

/// Gives the object its name, namespace and identity.
fn place(call: &Call, object: &mut Value, now: &str) -> Result<String, Status> {
    let mut name = metadata::text(object, "name").to_owned();
    let base = metadata::text(object, "generateName").to_owned();
    if name.is_empty() && !base.is_empty() {
        name = metadata::generate_name(&base, |sides| rand::random_range(0..sides));
    }
    if name.is_empty() {
        let problem = FieldError::required("metadata.name", "name or generateName is required");
        return Err(Status::invalid(call.kind, "", vec![problem]));
    }
    let uid = uuid::Uuid::new_v4().to_string();
    let Some(fields) = metadata::of(object) else {
        return Err(Status::bad_request("the body of the request is not an object"));
    };
    fields.insert("name".to_owned(), json!(name));
    match &call.namespace {
        Some(namespace) => fields.insert("namespace".to_owned(), json!(namespace)),
        None => fields.remove("namespace"),
    };
    metadata::fill_new(object, &uid, now);
    Ok(name)
}

/// The namespace must be there, must not be going, and must still be so when the object is written.
fn namespace_guard(call: &Call) -> Result<Option<(Key, u64)>, Status> {
    let Some(namespace) = &call.namespace else {
        return Ok(None);
    };
    let kind = toolforge_kinds::by_kind("", "v1", "Namespace").ok_or_else(Status::no_such_path)?;
    let key = Key::new(Resource::of(kind), None, namespace);
    let found = call
        .api
        .store
        .get(&key)
        .ok_or_else(|| Status::not_found(kind, namespace))?;
    if metadata::is_deleting(&found.value()) {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut status = Status::forbidden(call.kind, "", &why);
        if let Some(details) = &mut status.details {
            details["causes"] = json!([{
                "reason": "NamespaceTerminating",
                "message": format!("namespace {namespace} is being terminated"),
                "field": "metadata.namespace",
            }]);
        }
        return Err(status);
    }
    Ok(Some((key, found.revision)))
}

/// `CreateOptions`, for webhooks.
pub(super) fn options(call: &Call) -> Value {
    let mut options =
        json!({ "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": call.manager });
    if call.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    options
}
