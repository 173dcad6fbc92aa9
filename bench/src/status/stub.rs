//! The Kubernetes of this bench: lists that were written once, watches in which nothing happens, and rights for everybody.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Lists = Arc<BTreeMap<String, Bytes>>;

/// Serves a cluster with so many tools and Pods; the Pods are those of the first tools.
///
/// It says that clients show certificates of `authority_pem`.
pub(super) async fn serve(tools: usize, pods: usize, authority_pem: &str) -> anyhow::Result<SocketAddr> {
    let lists: Lists = Arc::new(lists(tools, pods, authority_pem));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(answer).with_state(lists);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// How to reach it.
pub(super) fn kubeconfig(api: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: bench\nclusters:\n- name: bench\n  cluster: {{server: \"http://{api}\"}}\n\
         users:\n- name: bench\n  user: {{}}\ncontexts:\n- name: bench\n  context: {{cluster: bench, user: bench}}\n"
    )
}

async fn answer(State(lists): State<Lists>, request: Request) -> Response {
    let path = request.uri().path();
    if *request.method() == Method::POST {
        return reviewed(path);
    }
    let json = |bytes: Bytes| ([(header::CONTENT_TYPE, "application/json")], bytes).into_response();
    if path == "/version" {
        let version = json!({ "major": "1", "minor": "37", "gitVersion": "v1.37.0", "gitCommit": "", "gitTreeState": "",
            "buildDate": "", "goVersion": "", "compiler": "", "platform": "" });
        return json(version.to_string().into());
    }
    let Some(list) = lists.get(path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if request
        .uri()
        .query()
        .is_some_and(|query| query.contains("watch=true"))
    {
        return Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()).into_response();
    }
    json(list.clone())
}

/// Whoever asks is an operator, who may look at everything.
fn reviewed(path: &str) -> Response {
    let status = if path.ends_with("/tokenreviews") {
        json!({ "authenticated": true, "user": { "username": "bench", "groups": ["system:authenticated"] } })
    } else {
        json!({ "allowed": true })
    };
    axum::Json(json!({ "metadata": {}, "spec": {}, "status": status })).into_response()
}

fn lists(tools: usize, pods: usize, authority_pem: &str) -> BTreeMap<String, Bytes> {
    let name = |number: usize| format!("t{number:05}");
    let each =
        |make: &dyn Fn(String) -> Value| (0..tools).map(|number| make(name(number))).collect::<Vec<_>>();
    let namespaces = each(&|tool| {
        json!({ "metadata": { "name": format!("tool-{tool}"), "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": { "tenancy": "tool", "name": format!("tool-{tool}") },
            "annotations": { "toolforge.org/maintainers": json!([{ "uid": "ada", "name": "Ada Lovelace" }]).to_string() } } })
    });
    let services = each(
        &|tool| json!({ "metadata": meta(&tool, &tool), "spec": { "selector": { "name": tool }, "ports": [{ "port": 8000 }] } }),
    );
    let ingresses = each(&|tool| {
        json!({ "metadata": meta(&tool, &tool), "spec": { "rules": [{ "host": format!("{tool}.toolforge.example"), "http": {
            "paths": [{ "path": "/", "pathType": "Prefix", "backend": { "service": { "name": tool, "port": { "number": 8000 } } } }] } }] } })
    });
    let deployments = each(
        &|tool| json!({ "metadata": meta(&tool, &tool), "spec": { "replicas": 1, "selector": {}, "template": {} }, "status": { "availableReplicas": 1 } }),
    );
    let quotas = each(
        &|tool| json!({ "metadata": meta(&tool, &tool), "status": { "hard": { "pods": "10", "limits.cpu": "2" }, "used": { "pods": "1", "limits.cpu": "500m" } } }),
    );
    let pods = (0..pods)
        .map(|number| pod(number, &name(number % tools.max(1))))
        .collect();
    let nodes: Vec<Value> = (0..100)
        .map(|number| {
            json!({ "metadata": { "name": format!("node-{number}"), "creationTimestamp": "2026-01-01T00:00:00Z" },
                "status": { "allocatable": { "cpu": "8", "memory": "16Gi", "pods": "110" }, "conditions": [{ "type": "Ready", "status": "True" }] } })
        })
        .collect();
    let authentication = json!({
        "metadata": { "name": "extension-apiserver-authentication", "namespace": "kube-system" },
        "data": { "client-ca-file": authority_pem, "requestheader-client-ca-file": authority_pem },
    });
    let list = |kind: &str, version: &str, items: Vec<Value>| {
        let text = json!({ "apiVersion": version, "kind": format!("{kind}List"), "metadata": { "resourceVersion": "1" }, "items": items });
        Bytes::from(text.to_string())
    };
    [
        ("/api/v1/namespaces", list("Namespace", "v1", namespaces)),
        ("/api/v1/nodes", list("Node", "v1", nodes)),
        ("/api/v1/pods", list("Pod", "v1", pods)),
        ("/api/v1/services", list("Service", "v1", services)),
        ("/api/v1/resourcequotas", list("ResourceQuota", "v1", quotas)),
        ("/api/v1/events", list("Event", "v1", Vec::new())),
        (
            "/apis/networking.k8s.io/v1/ingresses",
            list("Ingress", "networking.k8s.io/v1", ingresses),
        ),
        (
            "/apis/apps/v1/deployments",
            list("Deployment", "apps/v1", deployments),
        ),
        (
            "/apis/apps/v1/replicasets",
            list("ReplicaSet", "apps/v1", Vec::new()),
        ),
        (
            "/apis/apps/v1/statefulsets",
            list("StatefulSet", "apps/v1", Vec::new()),
        ),
        (
            "/apis/apps/v1/daemonsets",
            list("DaemonSet", "apps/v1", Vec::new()),
        ),
        ("/api/v1/endpoints", list("Endpoints", "v1", Vec::new())),
        ("/api/v1/limitranges", list("LimitRange", "v1", Vec::new())),
        (
            "/apis/policy/v1/poddisruptionbudgets",
            list("PodDisruptionBudget", "policy/v1", Vec::new()),
        ),
        (
            "/api/v1/namespaces/kube-system/configmaps",
            list("ConfigMap", "v1", vec![authentication]),
        ),
        ("/apis/batch/v1/jobs", list("Job", "batch/v1", Vec::new())),
        ("/apis/batch/v1/cronjobs", list("CronJob", "batch/v1", Vec::new())),
    ]
    .into_iter()
    .map(|(path, list)| (path.to_owned(), list))
    .collect()
}

fn meta(name: &str, tool: &str) -> Value {
    json!({ "name": name, "namespace": format!("tool-{tool}"), "uid": format!("{name}-{tool}"), "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": { "name": tool, "toolforge": "tool" } })
}

/// A Pod that runs, with all that a cluster says of one.
fn pod(number: usize, tool: &str) -> Value {
    let image = format!("registry.example/toolforge-{}:latest", number % 30);
    let condition =
        |kind: &str| json!({ "type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z" });
    let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
    let id = format!("{number:064x}");
    let mut meta = meta(&format!("{tool}-5d8f7b9c64-{number:05}"), tool);
    meta["uid"] = json!(format!("b2c4e6a8-0f1d-4c3b-9a57-{number:012x}"));
    meta["ownerReferences"] = json!([{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
        "name": format!("{tool}-5d8f7b9c64"), "uid": "1" }]);
    json!({ "metadata": meta,
        "spec": { "nodeName": format!("node-{}", number % 100), "restartPolicy": "Always", "containers": [{ "name": "webservice",
            "image": image, "command": ["webservice-runner"], "env": [{ "name": "HOME", "value": "/" }],
            "resources": { "limits": { "cpu": "500m", "memory": "512Mi" }, "requests": { "cpu": "125m", "memory": "256Mi" } } }] },
        "status": { "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{ "ip": "10.0.0.1" }], "hostIP": "10.1.0.1",
            "qosClass": "Burstable", "startTime": "2026-01-01T00:00:00Z",
            "conditions": conditions,
            "containerStatuses": [{ "name": "webservice", "ready": true, "restartCount": 0, "image": image,
                "imageID": format!("registry.example/toolforge@sha256:{id}"), "containerID": format!("containerd://{id}"),
                "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } } }] } })
}
