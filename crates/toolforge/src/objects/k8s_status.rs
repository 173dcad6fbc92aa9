//! How visitors reach the pages of k8s-status: as they reach any tool, by an Ingress for its own host name.

use std::net::SocketAddr;

use serde_json::{Value, json};
use toolforge_model::names::{K8S_STATUS_NAMESPACE, K8S_STATUS_TOOL};

/// The port of their Service, as of every webservice.
pub(crate) const K8S_STATUS_PORT: u16 = 8000;

/// The Service, without a selector: where its Pods are is written beside it, or by `toolforge manifests --image`.
pub(super) fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": K8S_STATUS_TOOL, "namespace": K8S_STATUS_NAMESPACE },
        "spec": { "ports": [{ "name": "http", "port": K8S_STATUS_PORT, "protocol": "TCP" }] },
    })
}

/// The Ingress. The guard looks at it as at that of any tool, so it has to be there first.
pub(crate) fn k8s_status_ingress(domain: &str, ingress_class: &str) -> Value {
    let backend = json!({ "service": { "name": K8S_STATUS_TOOL, "port": { "number": K8S_STATUS_PORT } } });
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": "k8s-status-subdomain", "namespace": K8S_STATUS_NAMESPACE },
        "spec": {
            "ingressClassName": ingress_class,
            "rules": [{
                "host": format!("{K8S_STATUS_TOOL}.{domain}"),
                "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] },
            }],
        },
    })
}

/// Where the pages listen on this machine, written beside their Service.
pub(crate) fn k8s_status_address(address: SocketAddr) -> Value {
    super::public::endpoints(K8S_STATUS_NAMESPACE, K8S_STATUS_TOOL, address)
}
