//! The loop behind every update: read, edit, check, write, and again when somebody else was faster.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use toolforge_chain::Operation;
use toolforge_kinds::{Status, Subresource};
use toolforge_patch::TypeRef;

use super::Call;
use crate::admit::Request;
use crate::authz::escalation;
use crate::store::{Change, CommitError, Effect, Expected, Stored, stamp_revision};
use crate::{fail, metadata};

/// Rounds before a busy object is reported as a conflict; each lost round means that another writer got through.
const ATTEMPTS: usize = 32;

/// Lost rounds after which a writer waits for its turn: rare, and webhooks are then asked under a lock.
const ROUNDS_WITHOUT_TURNS: usize = 2;

/// How an update comes to its new state.
pub(crate) struct Edit<'a> {
    /// From the current state, as the client's kind, to the wanted one.
    pub(crate) transform: &'a (dyn Fn(&Value) -> Result<Value, Status> + Send + Sync),
    /// Whether the edit keeps `managedFields` itself, as server-side apply does.
    pub(crate) tracks_itself: bool,
    /// `CreateOptions`, `UpdateOptions` or `PatchOptions`, for webhooks.
    pub(crate) options: &'static str,
}

/// Changes an object. Also returns what webhooks want the author to know.
pub(crate) async fn change(
    call: &Call,
    name: &str,
    edit: &Edit<'_>,
) -> Result<(Arc<Stored>, Vec<String>), Status> {
    let mut turn = None;
    for round in 0..ATTEMPTS {
        if round == ROUNDS_WITHOUT_TURNS {
            turn = Some(call.api.turn(&call.key(name)).await);
        }
        let current = call
            .api
            .store
            .get(&call.key(name))
            .ok_or_else(|| Status::not_found(call.kind, name))?;
        match attempt(call, name, edit, &current).await? {
            Ok(done) => return Ok(done),
            // Somebody was faster: a revision that the edit insists on is refused in the next round.
            Err(CommitError::Changed) => {}
            Err(problem) => return Err(fail::commit(call.kind, name, problem)),
        }
    }
    drop(turn);
    Err(Status::modified(call.kind, name))
}

type Attempt = Result<(Arc<Stored>, Vec<String>), CommitError>;

async fn attempt(call: &Call, name: &str, edit: &Edit<'_>, current: &Arc<Stored>) -> Result<Attempt, Status> {
    let old = super::answer::value(call.kind, current);
    let mut new = (edit.transform)(&old)?;
    check_preconditions(call, name, &old, &new)?;
    metadata::keep(&old, &mut new);
    prepare(call, &old, &mut new);
    let request = Request::new(call, Operation::Update, name, options(call, edit.options));
    let (mut new, mut warnings) = request.mutate(new, Some(&old)).await?;
    metadata::keep(&old, &mut new);
    prepare(call, &old, &mut new);
    let reserved = call.api.addresses.reserve(call.kind, Some(&old), &mut new)?;
    let problems = match call.subresource {
        // A binding changes what no other door may.
        Some(Subresource::Binding) => Vec::new(),
        door => toolforge_kinds::validate_update(call.kind, &old, &new, door),
    };
    if !problems.is_empty() {
        return Err(Status::invalid(call.kind, name, problems));
    }
    escalation::check(
        &call.api.access,
        &call.api.store,
        &call.user,
        call.kind,
        &new,
        Some(&old),
    )?;
    if !edit.tracks_itself {
        let schema = TypeRef::of(call.kind.group, call.kind.version, call.kind.kind);
        let subresource = call.subresource.map(Subresource::name);
        let now = metadata::time(Timestamp::now());
        toolforge_patch::track_update(schema, Some(&old), &mut new, &call.manager, subresource, &now);
    }
    warnings.extend(request.validate(Some(&new), Some(&old)).await?);
    if metadata::is_same(&old, &new) {
        return Ok(Ok((current.clone(), warnings)));
    }
    let quota = request.within_quota(&new, Some(&old)).await?;
    let goes = metadata::may_go(&new);
    let value = if call.stored == call.kind {
        new
    } else {
        toolforge_kinds::convert(call.kind, call.stored, new)
    };
    if call.dry_run {
        let mut value = value;
        stamp_revision(&mut value, current.revision);
        return Ok(Ok((
            Arc::new(Stored::draft(current.key.clone(), value)),
            warnings,
        )));
    }
    let change = Change {
        key: current.key.clone(),
        expected: Expected::Revision(current.revision),
        effect: if goes { Effect::Removed } else { Effect::Put },
        value,
        guards: Vec::new(),
    };
    let outcome = call.api.store.commit(change).await;
    drop(quota);
    Ok(match outcome {
        Ok(stored) => {
            reserved.keep();
            Ok((stored, warnings))
        }
        Err(problem) => Err(problem),
    })
}

/// Defaults, and what may not change through this door.
fn prepare(call: &Call, old: &Value, new: &mut Value) {
    if call.subresource == Some(Subresource::Binding) {
        return;
    }
    toolforge_kinds::apply_defaults(call.kind, new);
    toolforge_kinds::prepare_for_update(call.kind, old, new, call.subresource);
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

fn options(call: &Call, kind: &str) -> Value {
    let mut options = json!({ "kind": kind, "apiVersion": "meta.k8s.io/v1", "fieldManager": call.manager });
    if call.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    options
}
