//! What the guards are asked in the measurement: objects as `webservice` writes them, with the fields that managers leave.

use bytes::Bytes;
use serde_json::{Value, json};
use toolforge_model::{ToolAccount, labels};

/// Where the objects are.
pub(crate) const NAMESPACE: &str = "tool-hello";

/// What is asked, in the order of [`all`].
pub(crate) const NAMES: [&str; 7] = [
    "ingress",
    "images",
    "pod",
    "mutate-pod",
    "volumes",
    "mutate-volumes",
    "service",
];

/// One question.
#[derive(Debug)]
pub(crate) struct Review {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: Bytes,
    /// Whether the answer carries changes.
    pub(crate) changes: bool,
}

/// One for each guard that validates but for endpoints, and one for each that completes; of the tool `hello`.
pub(crate) fn all(account: &ToolAccount) -> Vec<Review> {
    let workload = ["", "v1", "Pod"];
    let (pod, bare) = (pod(account), bare_pod(account));
    let asked: [_; NAMES.len()] = [
        (
            "/validate/ingress",
            ["networking.k8s.io", "v1", "Ingress"],
            &ingress(),
        ),
        ("/validate/images", workload, &pod),
        ("/validate/pod", workload, &pod),
        ("/mutate/pod", workload, &bare),
        ("/validate/volumes", workload, &pod),
        ("/mutate/volumes", workload, &bare),
        ("/validate/service", ["", "v1", "Service"], &service()),
    ];
    let named = NAMES.into_iter().zip(asked);
    named
        .map(|(name, (path, kind, object))| review(name, path, kind, object))
        .collect()
}

pub(crate) fn ingress() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata("hello-subdomain"),
        "spec": {"ingressClassName": "toolforge", "rules": [{"host": "hello.toolforge.org", "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "hello", "port": {"number": 8000}}}},
        ]}}]},
    })
}

pub(crate) fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata("hello"),
        "spec": {"type": "ClusterIP", "selector": {"name": "hello"}, "ports": [{"name": "http", "port": 8000, "targetPort": 8000}]},
    })
}

/// A Pod as it is stored.
pub(crate) fn pod(account: &ToolAccount) -> Value {
    let mut pod = bare_pod(account);
    let (id, seccomp) = (account.uid, json!({"type": "RuntimeDefault"}));
    pod["spec"]["securityContext"] =
        json!({"fsGroup": id, "runAsUser": id, "runAsGroup": id, "seccompProfile": seccomp});
    pod["spec"]["containers"][0]["securityContext"] = json!({
        "allowPrivilegeEscalation": false, "privileged": false, "capabilities": {"drop": ["ALL"]},
        "runAsUser": id, "runAsGroup": id, "seccompProfile": seccomp,
    });
    pod
}

/// A Pod as the platform's Deployments make it, which gets the tool's identity and environment.
pub(crate) fn bare_pod(account: &ToolAccount) -> Value {
    let container = json!({
        "name": "webservice", "image": "registry.example/toolforge-python311-sssd-web:latest",
        "command": ["/usr/bin/webservice-runner", "--type", "python", "--port", "8000"],
        "env": [{"name": "LOGS", "value": account.home}, {"name": "PORT", "value": "8000"}],
        "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "250m", "memory": "256Mi"}},
    });
    let mut metadata = metadata("hello-5d8c7");
    metadata["labels"][labels::TOOLFORGE] = json!(labels::TOOLFORGE_TOOL);
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {
            "automountServiceAccountToken": false, "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
            "containers": [container],
        },
    })
}

fn metadata(name: &str) -> Value {
    let fields = json!({"f:metadata": {"f:labels": {".": {}, "f:name": {}, "f:toolforge": {}}},
        "f:spec": {"f:selector": {}, "f:ports": {".": {}, "k:{\"port\":8000}": {".": {}, "f:port": {}, "f:targetPort": {}}}}});
    json!({
        "name": name, "namespace": NAMESPACE, "uid": "0a3d0e3e-3a4a-4b5b-9c6c-7d7d8e8e9f9f",
        "creationTimestamp": "2026-11-25T10:00:00Z",
        "labels": {"name": "hello", "app.kubernetes.io/component": "web", "app.kubernetes.io/managed-by": "webservice"},
        "managedFields": [{"manager": "webservice", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "time": "2026-11-25T10:00:00Z", "fieldsV1": fields}],
    })
}

fn review(
    name: &'static str,
    path: &'static str,
    [group, version, kind]: [&str; 3],
    object: &Value,
) -> Review {
    let request = json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": "x"},
        "name": object["metadata"]["name"], "namespace": NAMESPACE, "operation": "CREATE",
        "userInfo": {"username": "hello", "groups": ["toolforge", "system:authenticated"]},
        "object": object, "oldObject": null, "dryRun": false,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
    });
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    Review {
        name,
        path,
        body: review.to_string().into(),
        changes: path.starts_with("/mutate/"),
    }
}
