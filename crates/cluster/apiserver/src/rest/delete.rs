//! `delete`: at once, or when finalizers, a namespace's content or a Pod's processes are done.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use toolforge_chain::Operation;
use toolforge_kinds::{FieldError, Kind, Status};

use super::rounds::Rounds;
use super::{Call, answer, options};
use crate::admit::Request;
use crate::store::{Change, CommitError, Effect, Expected, Stored};
use crate::{body, fail, metadata, respond};

/// How long a Pod's processes have to end, in seconds, when nobody says otherwise; Kubernetes' default.
const POD_GRACE_SECONDS: i64 = 30;
/// Namespaces that the cluster cannot be without.
const KEPT_NAMESPACES: &[&str] = &["default", "kube-system", "kube-public"];
/// Kinds whose deletion answers with the object; the others answer with a `Status`.
const ANSWERED_WITH_OBJECT: &[&str] = &[
    "Pod",
    "Namespace",
    "Service",
    "ServiceAccount",
    "PersistentVolumeClaim",
];

/// What Kubernetes says to whoever deletes a Job without a word on its Pods.
const ORPHANED_PODS: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background \
    to remove them or set propagationPolicy=Orphan to suppress this warning";

/// What becomes of dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// `DeleteOptions`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    grace_seconds: Option<i64>,
    propagation: Option<Propagation>,
    uid: Option<String>,
    revision: Option<String>,
    dry_run: bool,
}

impl Options {
    /// Reads options from the body, or from the query where there is no body.
    pub(crate) fn read(call: &Call, media_type: &str, bytes: &[u8]) -> Result<Self, Status> {
        let value = if bytes.trim_ascii().is_empty() {
            Value::Null
        } else {
            body::object(media_type, bytes)?
        };
        Self::of(call, &value)
    }

    /// Takes options from a value, with the query as second choice.
    pub(crate) fn of(call: &Call, value: &Value) -> Result<Self, Status> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        let precondition = |field: &str| {
            value
                .pointer(&format!("/preconditions/{field}"))
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let orphan = value
            .get("orphanDependents")
            .and_then(Value::as_bool)
            .or(call.query.switch("orphanDependents"));
        let policy =
            text("propagationPolicy").or_else(|| call.query.get("propagationPolicy").map(str::to_owned));
        let asked = dry_runs(value, call);
        check(policy.as_deref(), orphan, &asked)?;
        let propagation = match (policy.as_deref(), orphan) {
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (Some(_), _) | (None, Some(false)) => Some(Propagation::Background),
            (None, None) => None,
        };
        let grace_seconds = match value.get("gracePeriodSeconds").and_then(Value::as_i64) {
            Some(seconds) => Some(seconds),
            None => call.query.number("gracePeriodSeconds")?,
        };
        // Less than nothing is as good as a moment.
        let grace_seconds = grace_seconds.map(|seconds| if seconds < 0 { 1 } else { seconds });
        Ok(Self {
            grace_seconds,
            propagation,
            uid: precondition("uid"),
            revision: precondition("resourceVersion"),
            dry_run: !asked.is_empty() || call.dry_run,
        })
    }

    /// The same, with what applies to the kind where the author says nothing; also what the author should know of that.
    fn of_kind(mut self, kind: &Kind) -> (Self, Option<&'static str>) {
        if self.propagation.is_some() || (kind.group, kind.kind) != ("batch", "Job") {
            return (self, None);
        }
        // As it was in the first version of Jobs, and stays.
        self.propagation = Some(Propagation::Orphan);
        (self, Some(ORPHANED_PODS))
    }

    /// The same, for an object that is still at `revision` only.
    pub(crate) fn only_at(mut self, revision: &str) -> Self {
        self.revision = Some(revision.to_owned());
        self
    }

    /// Whether nothing is to be done.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    fn to_value(&self) -> Value {
        let mut value = json!({ "kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1" });
        if let Some(seconds) = self.grace_seconds {
            value["gracePeriodSeconds"] = json!(seconds);
        }
        if let Some(propagation) = self.propagation {
            value["propagationPolicy"] = json!(format!("{propagation:?}"));
        }
        if self.dry_run {
            value["dryRun"] = json!(["All"]);
        }
        value
    }
}

/// What body and query say of a dry run, whatever it is: what is not understood is refused, and never done in earnest.
fn dry_runs(value: &Value, call: &Call) -> Vec<Value> {
    let body = value.get("dryRun").and_then(Value::as_array);
    let mut found: Vec<Value> = body.into_iter().flatten().cloned().collect();
    let query = call.query.all("dryRun").filter(|text| !text.is_empty());
    found.extend(query.map(Value::from));
    found
}

/// The 422 of options that make no sense.
fn check(policy: Option<&str>, orphan: Option<bool>, dry_run: &[Value]) -> Result<(), Status> {
    let mut problems = Vec::new();
    if let Some(policy) = policy {
        if orphan.is_some() {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            problems.push(FieldError::invalid("propagationPolicy", policy, why));
        }
        let known = ["Foreground", "Background", "Orphan", "nil"];
        if !known[..3].contains(&policy) {
            problems.push(FieldError::not_supported("propagationPolicy", policy, &known));
        }
    }
    if dry_run.iter().any(|value| value.as_str() != Some("All")) {
        problems.push(FieldError::not_supported("dryRun", dry_run.to_vec(), &["All"]));
    }
    options::refuse("DeleteOptions", problems)
}

/// What became of a deletion.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// Gone; its last state.
    Gone(Arc<Stored>),
    /// Waiting for finalizers or processes.
    Waiting(Arc<Stored>),
}

/// Deletes an object by name.
pub(crate) async fn answer(
    call: &Call,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Response, Status> {
    let options = Options::read(call, media_type, bytes)?;
    let (deleted, warnings) = delete_object(call, name, &options).await?;
    let mut response = match deleted {
        Deleted::Gone(stored) if !is_answered_with_object(call.kind) => {
            respond::json(StatusCode::OK, &success(call.kind, name, &stored.value()))
        }
        Deleted::Gone(stored) | Deleted::Waiting(stored) => {
            answer::object(call, StatusCode::OK, &stored).await?
        }
    };
    respond::warn(&mut response, &warnings);
    Ok(response)
}

fn is_answered_with_object(kind: &Kind) -> bool {
    kind.group.is_empty() && ANSWERED_WITH_OBJECT.contains(&kind.kind)
}

fn success(kind: &Kind, name: &str, object: &Value) -> Value {
    let mut details = json!({ "name": name, "kind": kind.plural, "uid": metadata::text(object, "uid") });
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
}

/// Deletes an object. Also returns what webhooks want the author to know.
pub(crate) async fn delete_object(
    call: &Call,
    name: &str,
    options: &Options,
) -> Result<(Deleted, Vec<String>), Status> {
    if (call.kind.group, call.kind.kind) == ("", "Namespace") && KEPT_NAMESPACES.contains(&name) {
        return Err(Status::forbidden(
            call.kind,
            name,
            "this namespace may not be deleted",
        ));
    }
    let request = Request::new(call, Operation::Delete, name, options.to_value()).dry_run(options.dry_run);
    let (options, warning) = options.clone().of_kind(call.kind);
    let mut rounds = Rounds::of(call, name);
    loop {
        let current = rounds.next().await?;
        check_preconditions(call.kind, name, &current.value(), &options)?;
        let shown = call.as_asked(&current).await?;
        let mut warnings = request.delete(&answer::value(call, &shown)).await?;
        warnings.extend(warning.map(str::to_owned));
        match attempt(call, &options, &current).await {
            Ok(deleted) => return Ok((deleted, warnings)),
            Err(CommitError::Changed) => {}
            Err(problem) => return Err(fail::commit(call.kind, name, problem)),
        }
    }
}

/// Checks that the object is the one that the options mean.
pub(crate) fn check_preconditions(
    kind: &Kind,
    name: &str,
    object: &Value,
    options: &Options,
) -> Result<(), Status> {
    for (what, wanted, field, happened) in [
        ("UID", &options.uid, "uid", "deleted and then recreated"),
        (
            "ResourceVersion",
            &options.revision,
            "resourceVersion",
            "modified",
        ),
    ] {
        let found = metadata::text(object, field);
        if let Some(wanted) = wanted
            && wanted != found
        {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might \
                 have been {happened}"
            );
            return Err(Status::precondition_failed(kind, name, &why));
        }
    }
    Ok(())
}

async fn attempt(call: &Call, options: &Options, current: &Arc<Stored>) -> Result<Deleted, CommitError> {
    let old = current.value();
    let new = mark(&old, options, Timestamp::now());
    let goes = metadata::may_go(&new);
    if !goes && metadata::is_same(&old, &new) {
        return Ok(Deleted::Waiting(current.clone()));
    }
    if options.dry_run {
        return Ok(if goes {
            Deleted::Gone(current.clone())
        } else {
            Deleted::Waiting(current.clone())
        });
    }
    let change = Change {
        key: current.key.clone(),
        expected: Expected::Revision(current.revision),
        effect: if goes { Effect::Removed } else { Effect::Put },
        // An object that goes at once keeps its last state as its last words.
        value: if goes && !metadata::is_deleting(&old) {
            Value::clone(&old)
        } else {
            new
        },
        guards: Vec::new(),
    };
    let stored = call.api.store.commit(change).await?;
    Ok(if goes {
        Deleted::Gone(stored)
    } else {
        Deleted::Waiting(stored)
    })
}

/// The object with its deletion asked for.
fn mark(old: &Value, options: &Options, now: Timestamp) -> Value {
    let mut new = old.clone();
    let grace = grace_seconds(old, options);
    let finalizers = finalizers(old, options.propagation);
    let first = !metadata::is_deleting(old);
    let is_namespace = is_core(old, "Namespace");
    let is_definition = super::rules::is_definition(old);
    let Some(fields) = metadata::of(&mut new) else {
        return new;
    };
    if finalizers.is_empty() {
        fields.remove("finalizers");
    } else {
        fields.insert("finalizers".to_owned(), json!(finalizers));
    }
    let earlier = fields.get("deletionGracePeriodSeconds").and_then(Value::as_i64);
    if first || earlier.is_some_and(|earlier| grace < earlier) {
        let end = now
            .saturating_add(SignedDuration::from_secs(grace))
            .unwrap_or(now);
        fields.insert("deletionTimestamp".to_owned(), json!(metadata::time(end)));
        fields.insert("deletionGracePeriodSeconds".to_owned(), json!(grace));
    }
    if first && let Some(generation) = fields.get("generation").and_then(Value::as_i64) {
        fields.insert("generation".to_owned(), json!(generation + 1));
    }
    if first && is_definition {
        super::rules::mark_definition(&mut new, &metadata::time(now));
    } else if is_namespace {
        fields.remove("deletionGracePeriodSeconds");
        if let Some(map) = new.as_object_mut() {
            let status = map.entry("status").or_insert_with(|| json!({}));
            status["phase"] = json!("Terminating");
        }
    }
    new
}

/// Whether an object is of that kind of the core group, and not of somebody's own kind of the same name.
fn is_core(object: &Value, kind: &str) -> bool {
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    text("kind") == Some(kind) && text("apiVersion") == Some("v1")
}

/// Only Pods that run somewhere are given time.
fn grace_seconds(object: &Value, options: &Options) -> i64 {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if !is_core(object, "Pod") {
        return 0;
    }
    if text("/spec/nodeName").is_empty() || matches!(text("/status/phase"), "Succeeded" | "Failed") {
        return 0;
    }
    let own = object
        .pointer("/spec/terminationGracePeriodSeconds")
        .and_then(Value::as_i64);
    options.grace_seconds.or(own).unwrap_or(POD_GRACE_SECONDS).max(0)
}

fn finalizers(object: &Value, propagation: Option<Propagation>) -> Vec<String> {
    let mut finalizers = metadata::finalizers(object);
    let Some(propagation) = propagation else {
        return finalizers;
    };
    finalizers.retain(|finalizer| finalizer != metadata::FOREGROUND && finalizer != metadata::ORPHAN);
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => finalizers.push(metadata::FOREGROUND.to_owned()),
        Propagation::Orphan => finalizers.push(metadata::ORPHAN.to_owned()),
    }
    finalizers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn marked(object: &Value, options: &Options) -> Value {
        mark(object, options, now())
    }

    #[test]
    fn a_running_pod_has_its_grace_and_others_none() {
        let pod = |phase: &str| json!({"apiVersion":"v1","kind":"Pod","metadata":{},"spec":{"nodeName":"n","terminationGracePeriodSeconds":5},"status":{"phase":phase}});
        let waiting = marked(&pod("Running"), &Options::default());
        assert!(!metadata::may_go(&waiting));
        assert_eq!(waiting["metadata"]["deletionTimestamp"], "2026-01-01T00:00:05Z");
        assert!(metadata::may_go(&marked(&pod("Failed"), &Options::default())));
        let at_once = Options {
            grace_seconds: Some(0),
            ..Options::default()
        };
        assert!(metadata::may_go(&marked(&waiting, &at_once)));
        assert!(metadata::may_go(&marked(
            &json!({"apiVersion":"v1","kind":"Pod","metadata":{},"spec":{}}),
            &Options::default()
        )));
    }

    #[test]
    fn a_second_deletion_changes_nothing() {
        let pod = json!({"apiVersion":"v1","kind":"Pod","metadata":{},"spec":{"nodeName":"n"},"status":{"phase":"Running"}});
        let first = marked(&pod, &Options::default());
        assert_eq!(
            first,
            mark(
                &first,
                &Options::default(),
                "2027-01-01T00:00:00Z".parse().unwrap()
            )
        );
    }

    #[test]
    fn propagation_is_a_finalizer() {
        let object = json!({"kind":"Deployment","metadata":{"generation":1}});
        let foreground = Options {
            propagation: Some(Propagation::Foreground),
            ..Options::default()
        };
        let new = marked(&object, &foreground);
        assert_eq!(new["metadata"]["finalizers"], json!(["foregroundDeletion"]));
        assert_eq!(new["metadata"]["generation"], 2);
        assert!(!metadata::may_go(&new));
        let background = Options {
            propagation: Some(Propagation::Background),
            ..Options::default()
        };
        assert!(metadata::may_go(&marked(&new, &background)));
    }

    #[test]
    fn a_job_leaves_its_pods_behind_unless_it_is_told_otherwise() {
        let job = toolforge_kinds::by_kind("batch", "v1", "Job").unwrap();
        let (options, warning) = Options::default().of_kind(job);
        assert_eq!(options.propagation, Some(Propagation::Orphan));
        assert!(warning.unwrap().starts_with("child pods are preserved"));
        let background = Options {
            propagation: Some(Propagation::Background),
            ..Options::default()
        };
        assert_eq!(background.of_kind(job).1, None);
        let cron_job = toolforge_kinds::by_kind("batch", "v1", "CronJob").unwrap();
        assert_eq!(Options::default().of_kind(cron_job).0.propagation, None);
    }

    #[test]
    fn kinds_of_users_may_have_any_name() {
        let pod = json!({"apiVersion":"example.org/v1","kind":"Pod","metadata":{},"spec":{"nodeName":"n"}});
        assert!(metadata::may_go(&marked(&pod, &Options::default())));
        let namespace = json!({"apiVersion":"example.org/v1","kind":"Namespace","metadata":{}});
        assert_eq!(marked(&namespace, &Options::default()).get("status"), None);
    }

    #[test]
    fn a_namespace_waits_for_its_content() {
        let namespace = json!({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"},"spec":{"finalizers":["kubernetes"]}});
        let new = marked(&namespace, &Options::default());
        assert_eq!(new["status"]["phase"], "Terminating");
        assert!(!metadata::may_go(&new));
    }
}
