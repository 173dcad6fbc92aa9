//! One turn for an account that may not go on: its access goes first, then what it runs, and much later what it has.
//!
//! Started by the service; level-based like `reconcile.rs`. What was done already is seen in the cluster and not done
//! again, so that it may be stopped anywhere. Nothing is deleted here that `guard.rs` has not let go, and homes never.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use toolforge_model::ToolName;
use toolforge_policy::psp::{self, tool_policy_name};

use crate::{
    account::Account,
    archive, desired,
    events::Kind,
    execute, mark,
    metrics::Done,
    plan::ObjectKey,
    reconcile::{Context, Outcome, ReconcileError, namespace_key},
    snapshot::Tool,
    stop,
    withdrawn::{Reason, Withdrawn},
};

/// When to look again at what needs no more: changes are heard of anyway.
const MUCH_LATER: Duration = Duration::from_hours(24);

/// Withdraws a tool; `account` is what the directory says of it, where it says something usable.
pub(crate) async fn tool(
    context: &Context,
    name: &ToolName,
    reason: Reason,
    account: Option<&Tool>,
) -> Result<Outcome, ReconcileError> {
    let namespace = name.namespace();
    let found = context.cache.find(&namespace_key(namespace.as_str()));
    let found = found.filter(|found| !found["metadata"]["deletionTimestamp"].is_string());
    let before = found.as_ref().and_then(Withdrawn::read);
    let is_new = before.as_ref().is_none_or(|before| before.reason != reason);
    // Where there is nothing to take away, as after the deletion, no place is taken.
    if is_new
        && found.is_some()
        && reason == Reason::Removed
        && let Err(wait) = context.removals.lock().take(Instant::now())
    {
        return Ok(look_again_in(wait));
    }
    revoke(context, name).await?;
    let Some(found) = found else {
        mark(context, account).await?;
        return Ok(look_again_in(MUCH_LATER));
    };
    let withdrawn = if is_new {
        note(context, name, &found, reason, before).await?
    } else {
        before.unwrap_or_else(|| begun(reason, None))
    };
    stop::stop(&context.client, namespace.as_str()).await?;
    mark(context, account).await?;
    let withdrawn = archived(context, name, &found, withdrawn).await?;
    let grace = context.lifecycle.grace(reason);
    match remaining(withdrawn.since, grace, Timestamp::now()) {
        Some(left) => Ok(look_again_in(left)),
        None => delete(context, name, &found, &withdrawn).await,
    }
}

/// Takes an admin's rights, and forgets their credentials.
pub(crate) async fn admin(context: &Context, name: &str, done: Done) -> Result<Outcome, ReconcileError> {
    for binding in desired::admin_bindings(name) {
        remove_known(context, key("ClusterRoleBinding", "", binding)).await?;
    }
    let marker = desired::admin_marker_key();
    if context.cache.datum(&marker, name).is_some() {
        execute::merge(&context.client, &marker, &json!({ "data": { name: null } })).await?;
        context.metrics.count("admin", done);
    }
    Ok(look_again_in(MUCH_LATER))
}

/// The first step: from here on nothing is allowed any more.
async fn revoke(context: &Context, name: &ToolName) -> Result<(), ReconcileError> {
    for binding in desired::tool_bindings(name) {
        remove_known(context, binding).await?;
    }
    Ok(())
}

async fn remove_known(context: &Context, key: ObjectKey) -> Result<(), ReconcileError> {
    if context.cache.has(&key) {
        execute::remove(&context.client, &key, None).await?;
    }
    Ok(())
}

fn begun(reason: Reason, before: Option<Withdrawn>) -> Withdrawn {
    Withdrawn {
        reason,
        // Another reason does not begin the grace period anew: the tool has been without access since.
        since: before.as_ref().map_or_else(Timestamp::now, |before| before.since),
        archive: before.and_then(|before| before.archive),
    }
}

/// Writes down that the tool is withdrawn. A removed tool's grace period begins when it is removed.
async fn note(
    context: &Context,
    name: &ToolName,
    namespace: &Value,
    reason: Reason,
    before: Option<Withdrawn>,
) -> Result<Withdrawn, ReconcileError> {
    let before = before.filter(|_| reason == Reason::Locked);
    let withdrawn = begun(reason, before);
    say(context, namespace, &withdrawn).await?;
    let done = match reason {
        Reason::Locked => Done::Disabled,
        Reason::Removed => Done::Removed,
    };
    context.metrics.count("tool", done);
    let note = match reason {
        Reason::Locked => "is locked in the directory: it has no access, and what it runs is stopped",
        Reason::Removed => "is gone from the directory: it has no access, and what it runs is stopped",
    };
    let account = Account::Tool(name.clone());
    context.events.tell(&account, true, Kind::Withdrawn, note);
    Ok(withdrawn)
}

async fn say(context: &Context, namespace: &Value, withdrawn: &Withdrawn) -> Result<(), ReconcileError> {
    let key = ObjectKey::of(namespace);
    Ok(execute::merge(&context.client, &key, &withdrawn.patch()).await?)
}

async fn mark(context: &Context, account: Option<&Tool>) -> Result<(), ReconcileError> {
    let Some(tool) = account.cloned() else {
        return Ok(());
    };
    let root = context.home_root.clone();
    let home = tool.home.clone();
    context
        .files
        .run(&home, move |fence| Ok(mark::put(&root, &tool, fence)?))
        .await
}

/// Writes the archive of a removed tool at once, and of a locked one before its objects are deleted.
async fn archived(
    context: &Context,
    name: &ToolName,
    namespace: &Value,
    mut withdrawn: Withdrawn,
) -> Result<Withdrawn, ReconcileError> {
    if withdrawn.archive.is_none()
        && withdrawn.reason == Reason::Removed
        && is_whole(context, namespace).await?
    {
        withdrawn.archive = Some(write_archive(context, name, namespace, &withdrawn).await?);
        say(context, namespace, &withdrawn).await?;
    }
    Ok(withdrawn)
}

/// Whether the namespace is there and not on its way out, by the API itself. What the cache has may be older than our own
/// deletion, and an archive of what is left by then would take the place of the whole one.
async fn is_whole(context: &Context, namespace: &Value) -> Result<bool, ReconcileError> {
    let there = execute::fetch(&context.client, &ObjectKey::of(namespace)).await?;
    Ok(there.is_some_and(|there| {
        let metadata = &there["metadata"];
        metadata["uid"] == namespace["metadata"]["uid"] && metadata["deletionTimestamp"].is_null()
    }))
}

async fn write_archive(
    context: &Context,
    name: &ToolName,
    namespace: &Value,
    withdrawn: &Withdrawn,
) -> Result<String, ReconcileError> {
    let file = archive::file_name(name, withdrawn.since);
    let folder = &context.lifecycle.archive;
    archive::write(&context.client, &context.files, namespace, folder, &file).await?;
    tracing::info!(tool = %name, file, "its objects are archived");
    Ok(file)
}

/// The last step: after a last archive the namespace goes, with everything in it, and the policy.
async fn delete(
    context: &Context,
    name: &ToolName,
    namespace: &Value,
    withdrawn: &Withdrawn,
) -> Result<Outcome, ReconcileError> {
    // Asked first: what is on its way out already must not take the place of another one.
    if !is_whole(context, namespace).await? {
        return Ok(look_again_in(MUCH_LATER));
    }
    if let Err(wait) = context.deletions.lock().take(Instant::now()) {
        return Ok(look_again_in(wait));
    }
    write_archive(context, name, namespace, withdrawn).await?;
    remove_known(context, key(psp::KIND, "", tool_policy_name(&name.to_owned()))).await?;
    // Of this uid: a namespace that was made anew in the meantime is another.
    let uid = namespace["metadata"]["uid"].as_str().map(str::to_owned);
    execute::remove(&context.client, &ObjectKey::of(namespace), uid).await?;
    tracing::info!(tool = %name, reason = withdrawn.reason.word(), "its grace period is over; its namespace is deleted");
    Ok(look_again_in(MUCH_LATER))
}

/// How much of a grace period is left; none when it is over.
pub(crate) fn remaining(since: Timestamp, grace: Duration, now: Timestamp) -> Option<Duration> {
    // Of a moment in the future, by another clock, the whole period is left.
    let passed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    grace.checked_sub(passed).filter(|left| !left.is_zero())
}

fn look_again_in(wait: Duration) -> Outcome {
    Outcome {
        look_again: Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX),
        warning: None,
        issued: false,
    }
}

fn key(kind: &str, namespace: &str, name: String) -> ObjectKey {
    ObjectKey {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_period_ends_when_it_has_passed() {
        let since: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let (hour, minute) = (Duration::from_hours(1), Duration::from_mins(1));
        assert_eq!(remaining(since, hour, since), Some(hour));
        assert_eq!(remaining(since, hour, since + 59 * minute), Some(minute));
        assert_eq!(remaining(since, hour, since + hour), None);
        assert_eq!(
            remaining(since, hour, since - hour),
            Some(hour),
            "a clock that is behind"
        );
    }

    #[test]
    fn a_locked_tool_that_was_removed_before_keeps_its_time() {
        let before = Withdrawn {
            reason: Reason::Removed,
            since: Timestamp::UNIX_EPOCH,
            archive: None,
        };
        assert_eq!(begun(Reason::Locked, Some(before)).since, Timestamp::UNIX_EPOCH);
    }
}
