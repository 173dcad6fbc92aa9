//! kubectl with controllers behind the API, and a node that only says that its Pods run.

use std::sync::Arc;

use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toolforge_pki::Authority;

use super::{Kubectl, start};
use crate::harness::Harness;

const NODE: &str = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"status":{
    "capacity":{"cpu":"4","memory":"8Gi","pods":"110"},"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"},
    "conditions":[{"type":"Ready","status":"True","reason":"Test","message":"","lastHeartbeatTime":null,"lastTransitionTime":null}]}}"#;

/// Says of each Pod with a node that it runs, and of each whose deletion was asked for that it has ended.
async fn play_node(pods: Api<Pod>) -> Result<(), kube::Error> {
    let watch = pods.watch(&WatchParams::default(), "0").await?;
    let mut watch = std::pin::pin!(watch);
    while let Some(change) = watch.try_next().await? {
        let (WatchEvent::Added(pod) | WatchEvent::Modified(pod)) = change else {
            continue;
        };
        let Some(name) = pod
            .metadata
            .name
            .filter(|_| pod.spec.is_some_and(|spec| spec.node_name.is_some()))
        else {
            continue;
        };
        let is_new = pod.status.and_then(|status| status.phase).as_deref() == Some("Pending");
        let done = if pod.metadata.deletion_timestamp.is_some() {
            pods.delete(&name, &DeleteParams::default().grace_period(0))
                .await
                .map(drop)
        } else if is_new {
            let status =
                json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
            pods.patch_status(&name, &PatchParams::default(), &Patch::Strategic(status))
                .await
                .map(drop)
        } else {
            Ok(())
        };
        match done {
            // It has gone meanwhile.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => other?,
        }
    }
    Ok(())
}

/// The API with what makes Pods run.
struct Cluster {
    api: Harness,
    kubectl: Kubectl,
    shutdown: CancellationToken,
    controllers: JoinHandle<()>,
    node: JoinHandle<Result<(), kube::Error>>,
}

impl Cluster {
    async fn start() -> Self {
        let (api, kubectl) = start().await;
        let shutdown = CancellationToken::new();
        let authority = Arc::new(Authority::create("signer").unwrap());
        let running = toolforge_controllers::run(
            api.server
                .client("system:kube-controller-manager", &["system:masters"]),
            authority,
            shutdown.clone(),
        );
        let controllers = tokio::spawn(async move { running.await.unwrap() });
        let node = tokio::spawn(play_node(Api::namespaced(api.admin(), "default")));
        kubectl.run_with(&["create", "-f", "-"], NODE).await;
        Self {
            api,
            kubectl,
            shutdown,
            controllers,
            node,
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.controllers.await.unwrap();
        self.node.abort();
        self.api.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rolls_out_and_back() {
    let cluster = Cluster::start().await;
    let kubectl = &cluster.kubectl;
    kubectl
        .line("create deployment web --image=registry/one --replicas=2")
        .await;
    let done = kubectl.line("rollout status deployment/web --timeout=60s").await;
    assert!(done.contains("successfully rolled out"), "{done}");
    kubectl
        .line("wait --for=condition=Available deployment/web --timeout=60s")
        .await;
    kubectl.line("set image deployment/web one=registry/two").await;
    kubectl.line("rollout status deployment/web --timeout=60s").await;
    let image = "get deploy web -o jsonpath={.spec.template.spec.containers[0].image}";
    assert_eq!(kubectl.line(image).await, "registry/two");
    let history = kubectl.line("rollout history deployment/web").await;
    assert!(history.contains("\n1 ") && history.contains("\n2 "), "{history}");
    let first = kubectl.line("rollout history deployment/web --revision=1").await;
    assert!(first.contains("registry/one"), "{first}");
    kubectl.line("rollout undo deployment/web").await;
    kubectl.line("rollout status deployment/web --timeout=60s").await;
    assert_eq!(kubectl.line(image).await, "registry/one");
    kubectl.line("rollout restart deployment/web").await;
    kubectl.line("rollout status deployment/web --timeout=60s").await;
    let events = kubectl.line("events --for deployment/web").await;
    assert!(events.contains("ScalingReplicaSet"), "{events}");

    kubectl.line("scale deployment web --replicas=0").await;
    kubectl
        .line("wait --for=delete pod -l app=web --timeout=60s")
        .await;
    kubectl
        .line("delete deployment web --cascade=foreground --timeout=60s")
        .await;
    assert_eq!(kubectl.line("get rs -o name").await, "");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drains_a_node_and_gives_it_back() {
    let cluster = Cluster::start().await;
    let kubectl = &cluster.kubectl;
    kubectl.line("create deployment web --image=registry/one").await;
    kubectl.line("rollout status deployment/web --timeout=60s").await;
    let drained = kubectl.line("drain n1 --timeout=60s").await;
    assert!(
        drained.contains("node/n1 cordoned")
            && drained.contains("evicted")
            && drained.contains("node/n1 drained"),
        "{drained}"
    );
    let nodes = kubectl.line("get nodes").await;
    assert!(nodes.contains("Ready,SchedulingDisabled"), "{nodes}");
    let described = kubectl.line("describe node n1").await;
    assert!(described.contains("Unschedulable:      true"), "{described}");
    kubectl.line("uncordon n1").await;
    kubectl.line("rollout status deployment/web --timeout=60s").await;
    kubectl.line("taint node n1 a=b:NoSchedule").await;
    kubectl.line("taint node n1 a-").await;
    cluster.stop().await;
}
