//! Stops what runs in the namespace of a tool without access, and starts it again as it was.
//!
//! What it was is written on each object, in the same patch that stops it, so nothing else has to be remembered:
//! Deployments and their like go down to no replicas, Jobs and `CronJob`s are suspended, Pods that nothing would make
//! again are deleted (they do not come back). What was stopped already stays so. Called by `withdraw.rs` and, when
//! access comes back, by `reconcile.rs`.

use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::plan::ObjectKey;

#[cfg(test)]
mod tests;

/// Annotation on what was stopped: how many replicas it had, or that it was not suspended.
pub(crate) const STOPPED: &str = "toolforge.org/stopped";

/// What the annotation says of what is suspended.
const RUNNING: &str = "running";

/// What runs Pods, as group, version, kind and plural.
const WORKLOADS: [(&str, &str, &str, &str); 6] = [
    ("batch", "v1", "CronJob", "cronjobs"),
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("apps", "v1", "ReplicaSet", "replicasets"),
    ("", "v1", "ReplicationController", "replicationcontrollers"),
    ("batch", "v1", "Job", "jobs"),
];

/// Pods, in the same way.
const PODS: (&str, &str, &str, &str) = ("", "v1", "Pod", "pods");

/// Why something still runs, or does not run again.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {} {}/{}", key.kind, key.namespace, key.name)]
pub(crate) struct StopError {
    step: &'static str,
    key: ObjectKey,
    #[source]
    source: Box<kube::Error>,
}

/// Stops everything in a namespace.
pub(crate) async fn stop(client: &Client, namespace: &str) -> Result<(), StopError> {
    each_workload(client, namespace, "stop", stopping).await?;
    let (api, resource) = api(client, namespace, PODS);
    for pod in free(&api, &resource, namespace).await? {
        match api.delete(&pod.name_any(), &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(source) => return Err(failed("delete", &resource, namespace, &pod.name_any(), source)),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// What [`stop`] would stop, and the Pods that it would delete.
pub(crate) async fn would_stop(client: &Client, namespace: &str) -> Result<Vec<ObjectKey>, StopError> {
    let mut objects = concerned(client, namespace, stopping).await?;
    let (api, resource) = api(client, namespace, PODS);
    let pods = free(&api, &resource, namespace).await?;
    objects.extend(pods.iter().map(|pod| key(&resource, namespace, &pod.name_any())));
    Ok(objects)
}

/// What [`start`] would start.
pub(crate) async fn would_start(client: &Client, namespace: &str) -> Result<Vec<ObjectKey>, StopError> {
    concerned(client, namespace, starting).await
}

async fn concerned(
    client: &Client,
    namespace: &str,
    change: fn(&str, &Value) -> Option<Value>,
) -> Result<Vec<ObjectKey>, StopError> {
    let mut concerned = Vec::new();
    for kind in WORKLOADS {
        let (api, resource) = api(client, namespace, kind);
        for object in free(&api, &resource, namespace).await? {
            let name = object.name_any();
            let value = serde_json::to_value(object).unwrap_or_default();
            if change(&resource.kind, &value).is_some() {
                concerned.push(key(&resource, namespace, &name));
            }
        }
    }
    Ok(concerned)
}

/// Starts again what was stopped.
pub(crate) async fn start(client: &Client, namespace: &str) -> Result<(), StopError> {
    each_workload(client, namespace, "start", starting).await
}

async fn each_workload(
    client: &Client,
    namespace: &str,
    step: &'static str,
    change: fn(&str, &Value) -> Option<Value>,
) -> Result<(), StopError> {
    for kind in WORKLOADS {
        let (api, resource) = api(client, namespace, kind);
        for object in free(&api, &resource, namespace).await? {
            let name = object.name_any();
            let version = object.resource_version();
            let value = serde_json::to_value(object).unwrap_or_default();
            let Some(mut patch) = change(&resource.kind, &value) else {
                continue;
            };
            // Of this version: what changes in the meantime is looked at again.
            patch["metadata"]["resourceVersion"] = json!(version);
            match api
                .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
                .await
            {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(source) => return Err(failed(step, &resource, namespace, &name, source)),
                Ok(_) => tracing::info!(kind = resource.kind, namespace, name, "{step}"),
            }
        }
    }
    Ok(())
}

/// The patch that stops a workload; none for what does not run.
fn stopping(kind: &str, object: &Value) -> Option<Value> {
    let spec = &object["spec"];
    match kind {
        "Job" | "CronJob" => {
            let rests = spec["suspend"] == true || is_finished(object);
            (!rests).then(
                || json!({ "metadata": { "annotations": { STOPPED: RUNNING } }, "spec": { "suspend": true } }),
            )
        }
        _ => {
            let replicas = spec["replicas"].as_u64().unwrap_or(1);
            (replicas > 0).then(|| {
                json!({ "metadata": { "annotations": { STOPPED: replicas.to_string() } }, "spec": { "replicas": 0 } })
            })
        }
    }
}

/// The patch that undoes [`stopping`]; none for what was not stopped by us.
pub(crate) fn starting(kind: &str, object: &Value) -> Option<Value> {
    let said = object["metadata"]["annotations"].get(STOPPED)?.as_str()?;
    let mut patch = json!({ "metadata": { "annotations": { STOPPED: null } } });
    match kind {
        "Job" | "CronJob" => patch["spec"] = json!({ "suspend": false }),
        _ => {
            let was = said.parse::<u32>().ok();
            // Somebody has given it replicas since: that is newer than what we remember.
            let rests = object["spec"]["replicas"] == 0;
            if let Some(replicas) = was.filter(|_| rests) {
                patch["spec"] = json!({ "replicas": replicas });
            }
        }
    }
    Some(patch)
}

fn is_finished(job: &Value) -> bool {
    job["status"]["conditions"].as_array().is_some_and(|conditions| {
        conditions.iter().any(|condition| {
            condition["status"] == "True" && matches!(condition["type"].as_str(), Some("Complete" | "Failed"))
        })
    })
}

fn is_controlled(object: &DynamicObject) -> bool {
    object
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true))
}

fn is_leaving(object: &DynamicObject) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

fn api(
    client: &Client,
    namespace: &str,
    kind: (&str, &str, &str, &str),
) -> (Api<DynamicObject>, ApiResource) {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(kind.0, kind.1, kind.2), kind.3);
    (
        Api::namespaced_with(client.clone(), namespace, &resource),
        resource,
    )
}

/// All that nobody controls and that is not being deleted.
async fn free(
    api: &Api<DynamicObject>,
    resource: &ApiResource,
    namespace: &str,
) -> Result<Vec<DynamicObject>, StopError> {
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(list
            .items
            .into_iter()
            .filter(|object| !is_controlled(object) && !is_leaving(object))
            .collect()),
        // A cluster without this kind has nothing of it that runs.
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Vec::new()),
        Err(source) => Err(failed("list", resource, namespace, "", source)),
    }
}

fn failed(
    step: &'static str,
    resource: &ApiResource,
    namespace: &str,
    name: &str,
    source: kube::Error,
) -> StopError {
    StopError {
        step,
        key: key(resource, namespace, name),
        source: Box::new(source),
    }
}

fn key(resource: &ApiResource, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        kind: resource.kind.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}
