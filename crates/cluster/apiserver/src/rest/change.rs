//! The way of every update: read, edit, ask everybody who has a say, write, and again when somebody else was faster.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use toolforge_chain::Operation;
use toolforge_kinds::{Status, Subresource};

use super::rounds::Rounds;
use super::{Call, answer};
use crate::admit::Request;
use crate::allocate::Reserved;
use crate::authz::escalation;
use crate::store::{Change, CommitError, Effect, Expected, Stored, stamp_revision};
use crate::{fail, metadata};

/// How an update comes to its new state.
pub(crate) struct Edit<'a> {
    /// From the current state, as the client's kind, to the wanted one.
    pub(crate) transform: &'a (dyn Fn(&Value) -> Result<Value, Status> + Send + Sync),
    /// Whether the edit keeps `managedFields` itself, as server-side apply does.
    pub(crate) tracks_itself: bool,
    /// `UpdateOptions` or `PatchOptions`, for webhooks.
    pub(crate) options: &'static str,
}

/// Changes an object. Also returns what webhooks want the author to know.
pub(crate) async fn change(
    call: &Call,
    name: &str,
    edit: &Edit<'_>,
) -> Result<(Arc<Stored>, Vec<String>), Status> {
    let request = Request::new(call, Operation::Update, name, options(call, edit.options));
    let mut rounds = Rounds::of(call, name);
    loop {
        let current = rounds.next().await?;
        let shown = call.as_asked(&current).await?;
        let old = answer::value(call, &shown);
        let (admitted, warnings) = admit(call, name, edit, &request, &old).await?;
        if metadata::is_same(&old, &admitted.object) {
            return Ok((current, warnings));
        }
        let converted = call.converted_to_stored(&admitted.object).await?;
        // Held until the write is visible or has failed.
        let _quota = request.within_quota(&admitted.object, Some(&old)).await?;
        let goes = metadata::may_go(&admitted.object);
        let value = converted.unwrap_or_else(|| call.to_stored(admitted.object));
        let replacement = replacement(&current, value, goes);
        if call.dry_run {
            return Ok((draft(&current, replacement.value), warnings));
        }
        match call.api.store.commit(replacement).await {
            Ok(stored) => {
                admitted.reserved.keep();
                return Ok((stored, warnings));
            }
            // Somebody was faster: a revision that the edit insists on is refused in the next round.
            Err(CommitError::Changed) => {}
            Err(problem) => return Err(fail::commit(call.kind, name, problem)),
        }
    }
}

/// A new state that nobody objects to, but for quota.
struct Admitted {
    object: Value,
    /// Given back when the state is not written.
    reserved: Reserved,
}

async fn admit(
    call: &Call,
    name: &str,
    edit: &Edit<'_>,
    request: &Request<'_>,
    old: &Value,
) -> Result<(Admitted, Vec<String>), Status> {
    let mut new = (edit.transform)(old)?;
    check_preconditions(call, name, old, &new)?;
    prepare(call, old, &mut new);
    // What admission adds is nobody's.
    if !edit.tracks_itself {
        track(call, old, &mut new);
    }
    let managers = new.pointer("/metadata/managedFields").cloned();
    let (mut new, mut warnings) = mutate(call, request, new, old).await?;
    prepare(call, old, &mut new);
    // Webhooks do not decide who owns what, and nobody may have been left to own anything.
    metadata::set_managers(&mut new, managers);
    let reserved = call.api.addresses.reserve(call.kind, Some(old), &mut new)?;
    check_fields(call, name, old, &new)?;
    let (access, store) = (&call.api.access, &call.api.store);
    escalation::check(access, store, &call.user, call.kind, &new, Some(old))?;
    if call.subresource.is_none() && old.get("spec") != new.get("spec") {
        warnings.extend(toolforge_kinds::warnings(call.kind, &new));
    }
    warnings.extend(validate(call, request, &new, old).await?);
    let admitted = Admitted {
        object: new,
        reserved,
    };
    Ok((admitted, warnings))
}

/// Checks the revision and identity that the new state names.
fn check_preconditions(call: &Call, name: &str, old: &Value, new: &Value) -> Result<(), Status> {
    let uid = metadata::text(new, "uid");
    if !uid.is_empty() && uid != metadata::text(old, "uid") {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            metadata::text(old, "uid")
        );
        return Err(Status::conflict(call.kind, name, &why));
    }
    let wanted = metadata::text(new, "resourceVersion");
    if !wanted.is_empty() && wanted != "0" && wanted != metadata::text(old, "resourceVersion") {
        return Err(Status::modified(call.kind, name));
    }
    Ok(())
}

/// Defaults, and what may not change through this door.
fn prepare(call: &Call, old: &Value, new: &mut Value) {
    metadata::keep(old, new);
    // A binding changes what no other door may.
    if call.subresource != Some(Subresource::Binding) {
        call.apply_defaults(new);
        toolforge_kinds::prepare_for_update(call.kind, old, new, call.subresource);
    }
}

fn check_fields(call: &Call, name: &str, old: &Value, new: &Value) -> Result<(), Status> {
    if call.subresource == Some(Subresource::Binding) {
        return Ok(());
    }
    let problems = call.validate_update(old, new);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(call.kind, name, problems))
}

fn track(call: &Call, old: &Value, new: &mut Value) {
    let schema = call.merge_type();
    let subresource = call.subresource.map(Subresource::name);
    let now = metadata::time(Timestamp::now());
    toolforge_patch::track_update(schema, Some(old), new, &call.manager, subresource, &now);
}

/// Asks mutating webhooks; through the door `scale` they see the `Scale`.
async fn mutate(
    call: &Call,
    request: &Request<'_>,
    new: Value,
    old: &Value,
) -> Result<(Value, Vec<String>), Status> {
    let Some((new_scale, old_scale)) = scales(call, &new, old) else {
        return request.mutate(new, Some(old)).await;
    };
    let (wanted, warnings) = request.mutate(new_scale, Some(&old_scale)).await?;
    Ok((call.scale_to(&new, &wanted), warnings))
}

/// Asks everybody who may refuse; through the door `scale` they see the `Scale`.
async fn validate(
    call: &Call,
    request: &Request<'_>,
    new: &Value,
    old: &Value,
) -> Result<Vec<String>, Status> {
    match scales(call, new, old) {
        Some((new, old)) => request.validate(Some(&new), Some(&old)).await,
        None => request.validate(Some(new), Some(old)).await,
    }
}

fn scales(call: &Call, new: &Value, old: &Value) -> Option<(Value, Value)> {
    if call.subresource != Some(Subresource::Scale) {
        return None;
    }
    Some((call.scale_of(new)?, call.scale_of(old)?))
}

/// The write that takes the object from its current state to the new one, or ends it.
fn replacement(current: &Stored, value: Value, goes: bool) -> Change {
    Change {
        key: current.key.clone(),
        expected: Expected::Revision(current.revision),
        effect: if goes { Effect::Removed } else { Effect::Put },
        value,
        guards: Vec::new(),
    }
}

fn draft(current: &Stored, mut value: Value) -> Arc<Stored> {
    stamp_revision(&mut value, current.revision);
    Arc::new(Stored::draft(current.key.clone(), value))
}

fn options(call: &Call, kind: &str) -> Value {
    let mut options = json!({ "kind": kind, "apiVersion": "meta.k8s.io/v1", "fieldManager": call.manager });
    if call.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    options
}
