//! Eviction: the deletion of a Pod that a disruption budget has a say in.
//!
//! What a budget allows is spent one at a time: the eviction takes one off the budget's status, at the revision at which
//! it read it, before it deletes the Pod. However many evict at once, no more Pods go than the budget allows. How many
//! that are is the controllers' business.

use std::sync::Arc;

use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};
use toolforge_chain::selects;
use toolforge_kinds::{Kind, Status, Subresource};

use super::Call;
use super::decode;
use super::delete::{Options, check_preconditions, delete_object};
use super::pods::{admit, admitted, done};
use crate::store::{Change, CommitError, Effect, Expected, Resource, Stored};
use crate::{fail, metadata};

/// Rounds before a busy budget or Pod is given up; each lost round means that another writer got through.
const ROUNDS: usize = 64;
/// Most Pods of a budget that are evicted and not yet gone.
const MOST_DISRUPTED: usize = 2000;
/// When to try again while the budget's status is behind its specification, in seconds.
const RETRY_SECONDS: u64 = 10;

/// What a budget says of one Pod.
#[derive(Debug)]
enum Verdict {
    /// It may go, and the budget becomes this.
    Spend(Value),
    /// It may go as it is now: it is not healthy, and the budget does not count it.
    Spare,
}

/// Deletes a Pod unless a disruption budget stands against it.
pub(crate) async fn evict(
    call: &Call,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Response, Status> {
    let eviction = decode::posted(call, Subresource::Eviction, name, media_type, bytes)?;
    find(call, name)?;
    let (eviction, warnings) = admit(call, name, eviction).await?;
    let options = Options::of(call, eviction.get("deleteOptions").unwrap_or(&Value::Null))?;
    for _ in 0..ROUNDS {
        let pod = find(call, name)?;
        if !attempt(call, name, &pod, options.clone()).await? {
            continue;
        }
        return Ok(done(&warnings));
    }
    Err(Status::modified(call.kind, name))
}

/// Evicts the Pod as it is at that revision; whether that was possible.
async fn attempt(call: &Call, name: &str, pod: &Arc<Stored>, options: Options) -> Result<bool, Status> {
    check_preconditions(call.kind, name, &pod.value(), &options)?;
    if is_past_guarding(&pod.value()) {
        let options = options.only_at(metadata::text(&pod.value(), "resourceVersion"));
        return delete(call, name, &options).await;
    }
    let Some(budget) = budget_of(call, &pod.value())? else {
        return mark_and_delete(call, pod, options).await;
    };
    match verdict(&budget, &pod.value(), Timestamp::now())? {
        Verdict::Spare => {
            if mark_and_delete(call, pod, options).await? {
                return Ok(true);
            }
            // It may be healthy by now: then the budget counts it, and the author is to come back.
            Err(still_processed(&budget.key.name))
        }
        Verdict::Spend(_) if options.is_dry_run() => Ok(true),
        Verdict::Spend(value) => {
            if !write(call, &budget, value).await? {
                return Ok(false);
            }
            delete_paid(call, pod, options).await.map(|()| true)
        }
    }
}

/// Deletes a Pod that the budget has been charged for: whoever writes it in between, it is this one that goes.
async fn delete_paid(call: &Call, pod: &Arc<Stored>, options: Options) -> Result<(), Status> {
    let name = &pod.key.name;
    let mut pod = Arc::clone(pod);
    for _ in 0..ROUNDS {
        if mark_and_delete(call, &pod, options.clone()).await? {
            return Ok(());
        }
        let uid = metadata::text(&pod.value(), "uid").to_owned();
        pod = find(call, name)?;
        if metadata::text(&pod.value(), "uid") != uid {
            return Err(Status::not_found(call.kind, name));
        }
    }
    Err(Status::modified(call.kind, name))
}

async fn mark_and_delete(call: &Call, pod: &Arc<Stored>, options: Options) -> Result<bool, Status> {
    match mark(call, pod, options).await? {
        Some(options) => delete(call, &pod.key.name, &options).await,
        None => Ok(false),
    }
}

fn find(call: &Call, name: &str) -> Result<Arc<Stored>, Status> {
    let found = call.api.store.get(&call.key(name));
    found.ok_or_else(|| Status::not_found(call.kind, name))
}

/// Whether no budget is asked about the Pod: it has ended, has not begun, or is going already.
fn is_past_guarding(pod: &Value) -> bool {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    matches!(phase, Some("Succeeded" | "Failed" | "Pending")) || metadata::is_deleting(pod)
}

/// The budget that selects the Pod.
fn budget_of(call: &Call, pod: &Value) -> Result<Option<Arc<Stored>>, Status> {
    let Some(budgets) = Resource::find("policy", "poddisruptionbudgets") else {
        return Ok(None);
    };
    let listing = call.api.store.list(budgets, call.namespace.as_deref());
    let mut selecting = listing
        .objects
        .into_iter()
        .filter(|budget| selects(&budget.value()["spec"]["selector"], pod));
    match (selecting.next(), selecting.next()) {
        (Some(_), Some(_)) => Err(Status::too_many_budgets()),
        (budget, _) => Ok(budget),
    }
}

fn verdict(budget: &Stored, pod: &Value, now: Timestamp) -> Result<Verdict, Status> {
    let name = &budget.key.name;
    let value = budget.value();
    let number = |pointer: &str| value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let (healthy, desired) = (number("/status/currentHealthy"), number("/status/desiredHealthy"));
    if !is_ready(pod) {
        let policy = value
            .pointer("/spec/unhealthyPodEvictionPolicy")
            .and_then(Value::as_str);
        if policy == Some("AlwaysAllow") || (healthy >= desired && desired > 0) {
            return Ok(Verdict::Spare);
        }
    }
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Err(still_processed(name));
    }
    let allowed = number("/status/disruptionsAllowed");
    let kind = toolforge_kinds::by_kind("policy", "v1", "PodDisruptionBudget");
    let forbidden = |why: &str| {
        kind.map_or_else(Status::no_such_path, |kind: &Kind| {
            Status::forbidden(kind, name, why)
        })
    };
    if allowed < 0 {
        return Err(forbidden("pdb disruptions allowed is negative"));
    }
    let disrupted = value.pointer("/status/disruptedPods").and_then(Value::as_object);
    if disrupted.is_some_and(|pods| pods.len() > MOST_DISRUPTED) {
        let why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
        return Err(forbidden(why));
    }
    if allowed == 0 {
        return Err(Status::eviction_refused(&refusal(budget, healthy, desired), 0));
    }
    Ok(Verdict::Spend(spent(&value, pod, allowed - 1, now)))
}

fn still_processed(budget: &str) -> Status {
    let cause = format!("The disruption budget {budget} is still being processed by the server.");
    Status::eviction_refused(&cause, RETRY_SECONDS)
}

fn refusal(budget: &Stored, healthy: i64, desired: i64) -> String {
    let name = &budget.key.name;
    let value = budget.value();
    let failed = conditions(&value, "DisruptionAllowed")
        .find(|condition| condition["status"] == "False" && condition["reason"] == "SyncFailed");
    match failed {
        Some(condition) => format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed sync: {}",
            condition["message"].as_str().unwrap_or_default()
        ),
        None => {
            format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")
        }
    }
}

/// The budget with one less to spend, and the Pod noted as gone.
fn spent(budget: &Value, pod: &Value, left: i64, now: Timestamp) -> Value {
    let mut value = budget.clone();
    let time = metadata::time(now);
    let name = metadata::text(pod, "name");
    value["status"]["disruptionsAllowed"] = json!(left);
    value["status"]["disruptedPods"][name] = json!(time);
    if left == 0
        && let Some(conditions) = value
            .pointer_mut("/status/conditions")
            .and_then(Value::as_array_mut)
        && let Some(condition) = conditions
            .iter_mut()
            .find(|condition| condition["type"] == "DisruptionAllowed")
    {
        condition["status"] = json!("False");
        condition["reason"] = json!("InsufficientPods");
        condition["message"] = json!("");
        condition["lastTransitionTime"] = json!(time);
    }
    value
}

/// Says in the Pod's status why it goes. The options to delete it with, at its revision then; none if somebody wrote it
/// in between.
async fn mark(call: &Call, pod: &Arc<Stored>, options: Options) -> Result<Option<Options>, Status> {
    if options.is_dry_run() {
        return Ok(Some(options));
    }
    let mut value = Value::clone(&pod.value());
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting", "lastProbeTime": null,
        "lastTransitionTime": metadata::time(Timestamp::now()),
    });
    match value
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut)
    {
        Some(list) => {
            list.retain(|known| known["type"] != "DisruptionTarget");
            list.push(condition);
        }
        None => value["status"]["conditions"] = json!([condition]),
    }
    let change = Change {
        key: pod.key.clone(),
        expected: Expected::Revision(pod.revision),
        effect: Effect::Put,
        value,
        guards: Vec::new(),
    };
    match call.api.store.commit(change).await {
        Ok(marked) => Ok(Some(
            options.only_at(metadata::text(&marked.value(), "resourceVersion")),
        )),
        Err(CommitError::Changed) => Ok(None),
        Err(problem) => Err(fail::commit(call.kind, &pod.key.name, problem)),
    }
}

/// Deletes the Pod; whether it was still at the revision that the options name.
async fn delete(call: &Call, name: &str, options: &Options) -> Result<bool, Status> {
    match delete_object(&admitted(call).without_subresource(), name, options).await {
        Ok(_) => Ok(true),
        Err(status) if status.code == 409 => Ok(false),
        Err(status) => Err(status),
    }
}

/// Writes the budget; whether it was still at the revision it was read at.
async fn write(call: &Call, budget: &Stored, value: Value) -> Result<bool, Status> {
    let change = Change {
        key: budget.key.clone(),
        expected: Expected::Revision(budget.revision),
        effect: Effect::Put,
        value,
        guards: Vec::new(),
    };
    match call.api.store.commit(change).await {
        Ok(_) => Ok(true),
        Err(CommitError::Changed) => Ok(false),
        Err(problem) => Err(fail::commit(call.kind, &budget.key.name, problem)),
    }
}

fn is_ready(pod: &Value) -> bool {
    conditions(pod, "Ready").any(|condition| condition["status"] == "True")
}

fn conditions<'a>(object: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    all.into_iter()
        .flatten()
        .filter(move |condition| condition["type"] == kind)
}
