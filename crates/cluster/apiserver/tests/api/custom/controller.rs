//! Somebody else's controller, written with kube-rs, against the API: it watches its own kind, holds its objects with a
//! finalizer, applies a child for each, and reports in their status.

use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{Event, finalizer};
use kube::runtime::wait::await_condition;
use kube::runtime::watcher;
use kube::{Resource as _, ResourceExt as _};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{GROUP, crates, define};
use crate::harness::{DEADLINE, Harness};

const FINALIZER: &str = "stable.example.org/crates";

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Crate {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: Spec,
    status: Option<Report>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Spec {
    replicas: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Report {
    phase: Option<String>,
    replicas: Option<i32>,
}

impl kube::Resource for Crate {
    type DynamicType = ();
    type Scope = kube::core::NamespaceResourceScope;

    fn kind((): &()) -> std::borrow::Cow<'_, str> {
        "Crate".into()
    }

    fn group((): &()) -> std::borrow::Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> std::borrow::Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> std::borrow::Cow<'_, str> {
        "crates".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

fn fresh(name: &str, replicas: i32) -> Crate {
    Crate {
        api_version: format!("{GROUP}/v1"),
        kind: "Crate".to_owned(),
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Spec {
            replicas: Some(replicas),
        },
        status: None,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(String);

async fn reconcile(
    object: Arc<Crate>,
    client: Arc<kube::Client>,
) -> Result<Action, kube::runtime::finalizer::Error<Failed>> {
    let objects: Api<Crate> = Api::namespaced(kube::Client::clone(&client), "default");
    finalizer(&objects, FINALIZER, object, |event| async {
        match event {
            Event::Apply(object) => apply(&client, &object).await,
            Event::Cleanup(object) => clean_up(&client, &object).await,
        }
        .map_err(|problem| Failed(problem.to_string()))
    })
    .await
}

async fn apply(client: &kube::Client, object: &Crate) -> kube::Result<Action> {
    let children: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let owner = object.controller_owner_ref(&());
    let replicas = object.spec.replicas.unwrap_or_default();
    let child = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": object.name_any(), "ownerReferences": [owner]}, "data": {"replicas": replicas.to_string()}});
    let params = PatchParams::apply("crate-controller").force();
    children
        .patch(&object.name_any(), &params, &Patch::Apply(child))
        .await?;
    let objects: Api<Crate> = Api::namespaced(client.clone(), "default");
    let status = json!({"status": {"phase": "Ready", "replicas": replicas}});
    objects
        .patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(status))
        .await?;
    Ok(Action::await_change())
}

async fn clean_up(client: &kube::Client, object: &Crate) -> kube::Result<Action> {
    let children: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    match children
        .delete(&object.name_any(), &DeleteParams::default())
        .await
    {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        done => drop(done?),
    }
    Ok(Action::await_change())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_of_its_own_kind_works_over_the_network() {
    let api = Harness::start().await;
    define(&api, crates()).await;
    let client = api.over_tls("controller", &["system:masters"]).await;
    let objects: Api<Crate> = Api::namespaced(client.clone(), "default");
    let children: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let controller = Controller::new(objects.clone(), watcher::Config::default())
        .owns(children.clone(), watcher::Config::default())
        .run(
            reconcile,
            |_, problem, _| panic!("reconciling failed: {problem}"),
            Arc::new(client),
        )
        .for_each(|_| async {});
    let running = tokio::spawn(controller);

    let ready = |replicas: i32| {
        move |found: Option<&Crate>| {
            found
                .and_then(|found| found.status.as_ref())
                .is_some_and(|status| {
                    status.phase.as_deref() == Some("Ready") && status.replicas == Some(replicas)
                })
        }
    };
    objects
        .create(&PostParams::default(), &fresh("a", 3))
        .await
        .unwrap();
    let wait =
        |replicas| tokio::time::timeout(DEADLINE, await_condition(objects.clone(), "a", ready(replicas)));
    wait(3).await.expect("the object is taken care of").unwrap();
    let child = children.get("a").await.unwrap();
    assert_eq!(child.data.unwrap()["replicas"], "3");
    assert_eq!(child.metadata.owner_references.unwrap()[0].kind, Crate::kind(&()));
    objects
        .patch(
            "a",
            &PatchParams::default(),
            &Patch::Merge(json!({"spec": {"replicas": 5}})),
        )
        .await
        .unwrap();
    wait(5).await.expect("a change is followed").unwrap();

    // What is done to the child is undone.
    children.delete("a", &DeleteParams::default()).await.unwrap();
    let back = await_condition(children.clone(), "a", |found: Option<&ConfigMap>| found.is_some());
    tokio::time::timeout(DEADLINE, back)
        .await
        .expect("the child comes back")
        .unwrap();

    objects.delete("a", &DeleteParams::default()).await.unwrap();
    let gone = await_condition(objects.clone(), "a", |found: Option<&Crate>| found.is_none());
    tokio::time::timeout(DEADLINE, gone)
        .await
        .expect("the finalizer lets the object go")
        .unwrap();
    assert!(children.get_opt("a").await.unwrap().is_none());
    running.abort();
}
