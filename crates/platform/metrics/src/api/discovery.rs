//! What this server offers, and in what form. Pure.

use serde_json::{Value, json};

/// Changes with what `schemas` says.
const SCHEMAS_HASH: &str = "1";

pub(super) fn group() -> Value {
    let version = json!({ "groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1" });
    json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": "metrics.k8s.io",
        "versions": [version], "preferredVersion": version,
    })
}

pub(super) fn groups() -> Value {
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group()] })
}

pub(super) fn resources() -> Value {
    let resource = |name: &str, kind: &str, namespaced: bool| {
        json!({
            "name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["get", "list"],
        })
    };
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1",
        "resources": [resource("nodes", "NodeMetrics", false), resource("pods", "PodMetrics", true)],
    })
}

pub(super) fn schema_index() -> Value {
    let place = format!("/openapi/v3/apis/metrics.k8s.io/v1beta1?hash={SCHEMAS_HASH}");
    json!({ "paths": { "apis/metrics.k8s.io/v1beta1": { "serverRelativeURL": place } } })
}

pub(super) fn schemas() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let usage = json!({
        "type": "object", "additionalProperties": { "type": "string" },
        "description": "What is used: cpu and memory.",
    });
    let metadata =
        json!({ "type": "object", "description": "Name, namespace and labels of what is measured." });
    let kind = |name: &str, description: &str, own: (&str, Value)| {
        json!({
            "type": "object",
            "description": description,
            "properties": {
                "apiVersion": text("metrics.k8s.io/v1beta1"),
                "kind": text(name),
                "metadata": metadata,
                "timestamp": text("The end of the window."),
                "window": text("The time over which usage was measured."),
                own.0: own.1,
            },
            "x-kubernetes-group-version-kind": [{ "group": "metrics.k8s.io", "version": "v1beta1", "kind": name }],
        })
    };
    let path = |action: &str, kind: &str| {
        json!({ "get": {
            "responses": { "200": { "description": "OK" } },
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": { "group": "metrics.k8s.io", "version": "v1beta1", "kind": kind },
        } })
    };
    let (listed, read) = (|kind| path("list", kind), |kind| path("get", kind));
    let containers = json!({
        "type": "array",
        "description": "Each container that runs.",
        "items": { "type": "object", "properties": { "name": text("The container's name."), "usage": usage } },
    });
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Toolforge metrics", "version": env!("CARGO_PKG_VERSION") },
        "paths": {
            "/apis/metrics.k8s.io/v1beta1/nodes": listed("NodeMetrics"),
            "/apis/metrics.k8s.io/v1beta1/nodes/{name}": read("NodeMetrics"),
            "/apis/metrics.k8s.io/v1beta1/pods": listed("PodMetrics"),
            "/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods": listed("PodMetrics"),
            "/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/{name}": read("PodMetrics"),
        },
        "components": { "schemas": {
            "io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetrics":
                kind("NodeMetrics", "What a node uses.", ("usage", usage.clone())),
            "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics":
                kind("PodMetrics", "What the containers of a Pod use.", ("containers", containers)),
        } },
    })
}
