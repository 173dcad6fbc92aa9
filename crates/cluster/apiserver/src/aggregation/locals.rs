//! `APIService`s of what the API serves itself: clients find one for each group and version there is, as on any Kubernetes.
//!
//! Those of built-in groups are made at the start, those of users' kinds come and go with them. They are only told about:
//! nothing is decided by them, and whoever takes one away changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};
use toolforge_kinds::{Kind, Status};

use super::GROUP;
use super::availability::{Verdict, call, write};
use crate::api::Api;
use crate::rest::{DeleteOptions, Tracking, create_object, delete_object};
use crate::store::Stored;

/// Says who keeps an `APIService`, and how.
const KEPT: &str = "kube-aggregator.kubernetes.io/automanaged";
/// The group of built-in kinds that all others come after.
const CORE_PRIORITY: i64 = 18_000;
/// The other groups of built-in kinds.
const BUILT_IN_PRIORITY: i64 = 17_000;
/// Groups of users, as in Kubernetes: behind nearly all others.
const CUSTOM_PRIORITY: i64 = 1_000;
/// The one version of most groups, and those of users.
const VERSION_PRIORITY: i64 = 100;

/// When it is looked at what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Start,
    Later,
}

/// Makes those that are missing, takes away those of kinds that are gone, and says that all of them are available. Whether all
/// that are missing could be made.
pub(super) async fn keep(api: &Arc<Api>, moment: Moment) -> bool {
    let Some(resource) = super::resource() else {
        return true;
    };
    // In this order: who is woken by a definition finds its kinds served once the store can be read.
    let objects = api.store.list(resource, None).objects;
    let served = served(&api.kinds.all());
    let missing = served.iter().filter(|(name, local)| {
        let is_due = local.custom || moment == Moment::Start;
        is_due && !objects.iter().any(|object| object.key.name == **name)
    });
    let made = missing.map(|(name, local)| make(api, name, local));
    let mut are_made = true;
    for problem in join_all(made).await.into_iter().filter_map(Result::err) {
        are_made = false;
        tracing::warn!(problem = %problem.message, "an APIService of the API's own could not be made");
    }
    let gone = objects
        .iter()
        .filter(|object| is_of_custom(&object.value()) && !served.contains_key(&object.key.name));
    join_all(gone.map(|object| remove(api, object))).await;
    let objects = api.store.list(resource, None).objects;
    let locals = objects
        .iter()
        .filter(|object| object.value().pointer("/spec/service").is_none_or(Value::is_null));
    join_all(locals.map(|object| async {
        let verdict = Verdict {
            available: true,
            reason: "Local",
            message: "Local APIServices are always available".to_owned(),
        };
        write(api, &object.key.name, &verdict).await;
    }))
    .await;
    are_made
}

/// One version of a group that the API serves.
#[derive(Debug)]
struct Local {
    group: &'static str,
    version: &'static str,
    custom: bool,
}

/// All of them, by the names of their `APIService`s. Pure.
fn served(kinds: &[&'static Kind]) -> BTreeMap<String, Local> {
    let mut served = BTreeMap::new();
    for kind in kinds.iter().filter(|kind| kind.group != GROUP) {
        let local = served
            .entry(format!("{}.{}", kind.version, kind.group))
            .or_insert(Local {
                group: kind.group,
                version: kind.version,
                custom: true,
            });
        local.custom &= kind.custom;
    }
    served
}

fn is_of_custom(object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels");
    labels
        .and_then(|labels| labels.get(KEPT))
        .is_some_and(|kept| kept == "true")
}

fn priority(local: &Local) -> i64 {
    match (local.custom, local.group) {
        (true, _) => CUSTOM_PRIORITY,
        (false, "") => CORE_PRIORITY,
        (false, _) => BUILT_IN_PRIORITY,
    }
}

async fn make(api: &Arc<Api>, name: &str, local: &Local) -> Result<(), Status> {
    let Some(call) = call(api, None) else {
        return Ok(());
    };
    let kept = if local.custom { "true" } else { "onstart" };
    let object = json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "APIService",
        "metadata": { "name": name, "labels": { KEPT: kept } },
        "spec": {
            "group": local.group, "version": local.version,
            "groupPriorityMinimum": priority(local), "versionPriority": VERSION_PRIORITY,
        },
    });
    match create_object(&call, object, Tracking::Here).await {
        Err(status) if status.reason != "AlreadyExists" => Err(status),
        _ => Ok(()),
    }
}

async fn remove(api: &Arc<Api>, object: &Stored) {
    let Some(call) = call(api, None) else { return };
    let deleted = delete_object(&call, &object.key.name, &DeleteOptions::default()).await;
    if let Err(problem) = deleted.map(drop)
        && problem.code != 404
    {
        tracing::warn!(service = object.key.name, problem = %problem.message, "an APIService could not be taken away");
    }
}
