//! Brings objects into a cluster by server-side apply: idempotent, and it leaves what others own alone.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
    runtime::wait::{await_condition, conditions::is_crd_established},
};
use serde_json::Value;

/// The name under which the API records what is ours.
const MANAGER: &str = "toolforge";
/// Kinds without which others cannot be applied.
const GROUND: [&str; 2] = ["Namespace", "CustomResourceDefinition"];
/// Objects at once: as many writes as one sync of a disk may well hold.
const AT_A_TIME: usize = 16;
/// How long the API may take to serve a kind that it was given.
const ESTABLISHED: Duration = Duration::from_secs(30);

/// Whether others are in it or of it, and cannot be applied before it is there.
pub(crate) fn is_ground(object: &Value) -> bool {
    GROUND.contains(&text(object, "/kind"))
}

/// Applies every object: first what others are in or of, then all others, many at a time.
pub(crate) async fn apply(client: &Client, objects: &[Value]) -> anyhow::Result<()> {
    let (ground, rest): (Vec<&Value>, Vec<&Value>) = objects.iter().partition(|object| is_ground(object));
    for wave in [ground, rest] {
        futures::stream::iter(wave)
            .map(|object| apply_one(client, object))
            .buffer_unordered(AT_A_TIME)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

async fn apply_one(client: &Client, object: &Value) -> anyhow::Result<()> {
    try_apply(client, object).await.with_context(|| {
        format!(
            "{} {} cannot be applied",
            text(object, "/kind"),
            text(object, "/metadata/name")
        )
    })
}

async fn try_apply(client: &Client, object: &Value) -> anyhow::Result<()> {
    let (group, version) = match text(object, "/apiVersion").split_once('/') {
        Some((group, version)) => (group, version),
        None => ("", text(object, "/apiVersion")),
    };
    let kind = text(object, "/kind");
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = match object.pointer("/metadata/namespace").and_then(Value::as_str) {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .ok_or_else(|| anyhow!("it has no name"))?;
    api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(object))
        .await?;
    if kind == "CustomResourceDefinition" {
        // What comes next may be of this kind. The built-in API serves it before the condition can be seen.
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        tokio::time::timeout(
            ESTABLISHED,
            await_condition(definitions, name, is_crd_established()),
        )
        .await
        .context("the API does not serve it")??;
    }
    Ok(())
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
