//! `patch`: JSON patch, merge patch, strategic merge patch, and server-side apply.

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use toolforge_kinds::{FieldError, Status, Subresource};
use toolforge_patch::{ApplyError, PatchError, TypeRef};

use super::change::{Edit, change};
use super::create::{Tracking, create_object};
use super::decode::Fault;
use super::{Call, answer, approval, check_name, decode};
use crate::{body, metadata, respond};

/// The media types of patches.
const PATCH_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// The same for kinds whose fields are not known here, so that nobody knows how to merge their lists.
const PATCH_TYPES_OF_UNKNOWN: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
];

/// A patch that has been read.
#[derive(Debug)]
pub(crate) enum Patch {
    Json(Value),
    Merge(Value),
    Strategic(Value),
    Apply(Value),
}

impl Patch {
    /// Reads a body by its media type.
    pub(crate) fn read(media_type: &str, bytes: &[u8]) -> Result<Self, Status> {
        match media_type {
            "application/json-patch+json" => body::json(bytes).map(Self::Json),
            "application/merge-patch+json" => body::json(bytes).map(Self::Merge),
            "application/strategic-merge-patch+json" => body::json(bytes).map(Self::Strategic),
            "application/apply-patch+yaml" | "application/apply-patch+json" => {
                body::yaml(bytes).map(Self::Apply)
            }
            _ => Err(Status::unsupported_media_type(PATCH_TYPES)),
        }
    }

    /// Reads a body by its media type; also gives the fields that its JSON has twice.
    fn read_strictly(media_type: &str, bytes: &[u8]) -> Result<(Self, Vec<String>), Status> {
        let patch = Self::read(media_type, bytes)?;
        let twice = match &patch {
            Self::Apply(_) => body::yaml_strictly(bytes)?.1,
            Self::Json(_) => body::json_strictly(bytes)?
                .1
                .into_iter()
                .map(|told| format!("json patch {told}"))
                .collect(),
            Self::Merge(_) | Self::Strategic(_) => body::json_strictly(bytes)?.1,
        };
        Ok((patch, twice))
    }

    /// The 422 for a patched object that cannot be read, or not strictly. It shows that object, or for the patches that
    /// Kubernetes merges as Go maps, the patch.
    fn refuse(&self, patched: &Value, fault: Fault) -> Status {
        let shown = match self {
            Self::Strategic(patch) => go_map(patch),
            _ => patched.to_string(),
        };
        let why = match fault {
            Fault::Type(found) => found.why().to_owned(),
            Fault::Strict(found) => format!("strict decoding error: {}", found.join(", ")),
        };
        let problem = FieldError::invalid("patch", shown, &why);
        Status::invalid_of("", "", "", vec![problem])
    }

    /// The patched state; apply is not for this.
    pub(crate) fn edit(&self, schema: TypeRef, old: &Value) -> Result<Value, Status> {
        let mut new = match self {
            Self::Json(patch) => toolforge_patch::json_patch(old, patch),
            Self::Merge(patch) => Ok(toolforge_patch::merge_patch(old, patch)),
            Self::Strategic(patch) => toolforge_patch::strategic_merge(schema, old, patch),
            Self::Apply(_) => Err(PatchError::Malformed("apply is not offered here".to_owned())),
        }
        .map_err(|problem| refuse(&problem))?;
        if !new.is_object() {
            return Err(Status::bad_request("the patched result is not an object"));
        }
        forget_revision(old, &mut new);
        Ok(new)
    }
}

/// A patch that says nothing about the revision does not insist on the one that it was computed from.
fn forget_revision(old: &Value, new: &mut Value) {
    if metadata::text(old, "resourceVersion") == metadata::text(new, "resourceVersion")
        && let Some(fields) = metadata::of(new)
    {
        fields.remove("resourceVersion");
    }
}

fn refuse(problem: &PatchError) -> Status {
    match problem {
        PatchError::Malformed(_) => Status::bad_request(problem.to_string()),
        PatchError::Rejected(_) => Status::custom(422, "Invalid", problem.to_string(), None),
        PatchError::TooLarge { .. } => {
            Status::custom(413, "RequestEntityTooLarge", problem.to_string(), None)
        }
    }
}

/// Patches an object, or the part of it that the subresource is about.
pub(crate) async fn answer(
    call: &Call,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Response, Status> {
    approval::check_unless_missing(call, name)?;
    match Patch::read_strictly(media_type, bytes)? {
        (Patch::Apply(applied), twice) => {
            let told = told_of_applied(call, twice)?;
            let mut response = apply(call, name, applied).await?;
            respond::warn(&mut response, &told);
            Ok(response)
        }
        (patch, twice) => edit(call, name, &patch, &twice).await,
    }
}

/// What the author of an applied object is told of fields that are there twice, or that they are refused.
fn told_of_applied(call: &Call, twice: Vec<String>) -> Result<Vec<String>, Status> {
    match call.query.get("fieldValidation") {
        Some("Ignore") => Ok(Vec::new()),
        Some("Strict") if !twice.is_empty() => {
            let all = twice.join(", ");
            Err(Status::bad_request(format!("error strict decoding YAML: {all}")))
        }
        _ => Ok(twice),
    }
}

/// A value as Go prints maps: `map[spec:map[replicas:2]]`.
fn go_map(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(name, value)| format!("{name}:{}", go_map(value)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
        other => other.to_string(),
    }
}

async fn edit(call: &Call, name: &str, patch: &Patch, twice: &[String]) -> Result<Response, Status> {
    let schema = call.merge_type();
    if matches!(patch, Patch::Strategic(_)) && !schema.is_known() {
        return Err(Status::unsupported_media_type(PATCH_TYPES_OF_UNKNOWN));
    }
    let told = parking_lot::Mutex::new(Vec::new());
    let transform = |old: &Value| {
        let mut new = patch.edit(schema, old)?;
        decode::check_kind(call.kind, &mut new)?;
        check_name(&new, name)?;
        let patched = new.clone();
        *told.lock() = decode::fields(call, &mut new, twice.to_vec(), |fault| {
            patch.refuse(&patched, fault)
        })?;
        Ok(new)
    };
    let edit = Edit {
        transform: &transform,
        tracks_itself: false,
        options: "PatchOptions",
    };
    let (stored, mut warnings) = change(call, name, &edit).await?;
    warnings.splice(0..0, told.into_inner());
    let mut response = answer::object(call, StatusCode::OK, &stored).await?;
    respond::warn(&mut response, &warnings);
    Ok(response)
}

/// Server-side apply: creates what is not there.
async fn apply(call: &Call, name: &str, mut applied: Value) -> Result<Response, Status> {
    for field in ["apiVersion", "kind"] {
        if applied
            .get(field)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            return Err(Status::bad_request(format!(
                "{field} is required in an applied object"
            )));
        }
    }
    decode::check_kind(call.kind, &mut applied)?;
    check_name(&applied, name)?;
    let unknown = call.decode(&mut applied)?;
    if !unknown.is_empty() {
        return Err(not_declared(call, name, &unknown));
    }
    if let Some(fields) = metadata::of(&mut applied) {
        fields.insert("name".to_owned(), Value::String(name.to_owned()));
        if let Some(namespace) = &call.namespace {
            fields.insert("namespace".to_owned(), Value::String(namespace.clone()));
        }
    }
    leave_other_doors(call, &mut applied);
    let force = call.query.is_true("force");
    let schema = call.merge_type();
    let subresource = call.subresource.map(Subresource::name);
    let merge = |live: Option<&Value>| {
        let now = metadata::time(Timestamp::now());
        let who = toolforge_patch::Applier {
            manager: &call.manager,
            subresource,
            force,
            now: &now,
        };
        toolforge_patch::apply_as(schema, live, &applied, who)
            .map_err(|problem| not_applied(call, name, &problem))
    };
    if call.api.store.get(&call.key(name)).is_none() {
        if call.subresource.is_some() {
            return Err(Status::not_found(call.kind, name));
        }
        require_create(call)?;
        let object = merge(None)?;
        match create_object(call, object, Tracking::Done).await {
            Ok((stored, warnings)) => {
                let mut response = answer::object(call, StatusCode::CREATED, &stored).await?;
                respond::warn(&mut response, &warnings);
                return Ok(response);
            }
            // Somebody else created it meanwhile: then it is an update.
            Err(status) if status.reason == "AlreadyExists" => {}
            Err(status) => return Err(status),
        }
    }
    let transform = |old: &Value| {
        let mut new = merge(Some(old))?;
        if metadata::text(&applied, "resourceVersion").is_empty() {
            forget_revision(old, &mut new);
        }
        Ok(new)
    };
    let edit = Edit {
        transform: &transform,
        tracks_itself: true,
        options: "PatchOptions",
    };
    let (stored, warnings) = change(call, name, &edit).await?;
    let mut response = answer::object(call, StatusCode::OK, &stored).await?;
    respond::warn(&mut response, &warnings);
    Ok(response)
}

/// What is applied must be of the kind's own fields, whatever `fieldValidation` says: others cannot be owned.
fn not_declared(call: &Call, name: &str, unknown: &[String]) -> Status {
    let lines: Vec<String> = unknown
        .iter()
        .map(|told| {
            let path = told.trim_start_matches("unknown field ").trim_matches('"');
            format!(".{path}: field not declared in schema")
        })
        .collect();
    let why = match lines.as_slice() {
        [only] => only.clone(),
        several => format!("errors:\n  {}", several.join("\n  ")),
    };
    not_typed(call, name, &why)
}

/// The refusal of what the types do not have. Kubernetes answers it as a fault of its own, and clients are used to that.
fn not_typed(call: &Call, name: &str, why: &str) -> Status {
    let namespace = call.namespace.as_deref().unwrap_or_default();
    let version = call.kind.api_version();
    let kind = call.kind.kind;
    let message =
        format!("failed to create typed patch object ({namespace}/{name}; {version}, Kind={kind}): {why}");
    Status::custom(500, "", message, None)
}

/// Takes away what cannot be applied through this door, so that its manager does not come to own it.
fn leave_other_doors(call: &Call, applied: &mut Value) {
    let Some(fields) = applied.as_object_mut() else {
        return;
    };
    match call.subresource {
        None if call.kind.has(Subresource::Status) => drop(fields.remove("status")),
        Some(Subresource::Status) => {
            fields.retain(|field, _| matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
        }
        _ => {}
    }
}

/// The right to patch is not the right to create.
pub(super) fn require_create(call: &Call) -> Result<(), Status> {
    let wanted = crate::authz::Attributes {
        verb: "create".to_owned(),
        group: call.kind.group.to_owned(),
        version: call.kind.version.to_owned(),
        resource: call.kind.plural.to_owned(),
        namespace: call.namespace.clone().unwrap_or_default(),
        ..crate::authz::Attributes::default()
    };
    call.api.access.require(&call.user, &wanted, &call.api.store)
}

fn not_applied(call: &Call, name: &str, problem: &ApplyError) -> Status {
    match problem {
        ApplyError::Malformed(why) => not_typed(call, name, why),
        ApplyError::Conflicts(conflicts) => {
            let list: Vec<(String, String)> = conflicts
                .iter()
                .map(|conflict| (conflict.message(), conflict.field.clone()))
                .collect();
            Status::apply_conflict(problem.to_string(), &list)
        }
        ApplyError::NamesManagers => Status::bad_request(problem.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_can_be_patched_knows_how_its_lists_merge() {
        for kind in toolforge_kinds::all()
            .iter()
            .filter(|kind| kind.verbs.contains("patch"))
        {
            let schema = TypeRef::of(kind.group, kind.version, kind.kind);
            assert!(schema.is_known(), "{}", kind.qualified_kind());
        }
    }
}
