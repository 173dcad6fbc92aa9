//! What the load is made of.

use serde_json::json;

use crate::client::Call;

/// How much load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// `ConfigMaps` that are created, read and listed.
    pub(crate) config_maps: u64,
    /// Writes before those that count.
    pub(crate) warm_up: u64,
    /// Pods that the memory is measured with, and the start.
    pub(crate) pods: u64,
    /// Watchers of one resource.
    pub(crate) watchers: usize,
    /// Events to all watchers that are measured.
    pub(crate) events: u64,
}

impl Sizes {
    /// What the figures are about.
    pub(crate) const FULL: Self = Self {
        config_maps: 18_000,
        warm_up: 2000,
        pods: 10_000,
        watchers: 1000,
        events: 50,
    };
    /// Enough to see that everything works.
    pub(crate) const QUICK: Self = Self {
        config_maps: 400,
        warm_up: 20,
        pods: 200,
        watchers: 20,
        events: 5,
    };
}

/// Bytes of data in each `ConfigMap`.
const DATA_BYTES: usize = 200;

/// The path of the `ConfigMaps` of a namespace.
pub(crate) fn config_maps(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

/// Makes a namespace.
pub(crate) fn namespace(name: &str) -> Call {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    Call::post("/api/v1/namespaces", object.to_string())
}

/// Removes a namespace and all in it.
pub(crate) fn remove_namespace(name: &str) -> Call {
    Call {
        method: http::Method::DELETE,
        ..Call::get(format!("/api/v1/namespaces/{name}"))
    }
}

/// Makes a `ConfigMap`.
pub(crate) fn config_map(namespace: &str, prefix: &str, number: u64) -> Call {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("{prefix}-{number:06}"), "labels": {"app": "bench"}},
        "data": {"text": "x".repeat(DATA_BYTES)},
    });
    Call::post(config_maps(namespace), object.to_string())
}

/// Reads one of so many `ConfigMaps`, all of them in turn.
pub(crate) fn read(namespace: &str, number: u64, of: u64) -> Call {
    // A step that shares no factor with their number visits all of them, and no two neighbours.
    let number = number * 7919 % of;
    Call::get(format!("{}/c-{number:06}", config_maps(namespace)))
}

/// Makes a Pod that no node ever runs. It is in `kube-system`, where the platform's webhooks have no say: the API is
/// measured, not they.
pub(crate) fn pod(number: u64) -> Call {
    let object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("p-{number:06}"),
            "labels": {"app": "bench", "number": number.to_string()},
            "annotations": {"bench.toolforge.org/note": "a Pod of the size that Deployments make"},
        },
        "spec": {
            "schedulingGates": [{"name": "bench.toolforge.org/never"}],
            "containers": [{
                "name": "main", "image": "registry.example.org/bench:1", "command": ["sleep", "infinity"],
                "env": [{"name": "NUMBER", "value": number.to_string()}, {"name": "MODE", "value": "bench"}],
                "ports": [{"name": "http", "containerPort": 8000}],
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 10},
            }],
        },
    });
    Call::post("/api/v1/namespaces/kube-system/pods", object.to_string())
}
