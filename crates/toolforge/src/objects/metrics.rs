//! What `up` writes down of the metrics component: its rights, and where the API finds it. On a cluster its operator says
//! so.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use toolforge_metrics::{NAMESPACE, SERVICE, api_service, service_rules};

/// The user that the component is.
pub(crate) const USER: &str = "toolforge:metrics";
const RBAC: &str = "rbac.authorization.k8s.io";
const ROLE: &str = "toolforge-metrics";

/// All of it, for a component at this address whose certificate is of this authority.
pub(crate) fn metrics(address: SocketAddr, authority_pem: &str) -> Vec<Value> {
    let subjects = json!([{ "apiGroup": RBAC, "kind": "User", "name": USER }]);
    let version = format!("{RBAC}/v1");
    vec![
        json!({ "apiVersion": version, "kind": "ClusterRole", "metadata": { "name": ROLE }, "rules": service_rules() }),
        json!({
            "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": { "name": ROLE },
            "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE },
            "subjects": subjects,
        }),
        json!({
            "apiVersion": version, "kind": "RoleBinding", "metadata": { "name": ROLE, "namespace": "kube-system" },
            "roleRef": { "apiGroup": RBAC, "kind": "Role", "name": "extension-apiserver-authentication-reader" },
            "subjects": subjects,
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": SERVICE, "namespace": NAMESPACE },
            "spec": { "ports": [{ "name": "https", "port": 443, "protocol": "TCP" }] },
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": SERVICE,
                "namespace": NAMESPACE,
                "labels": {
                    "kubernetes.io/service-name": SERVICE,
                    "endpointslice.kubernetes.io/managed-by": "toolforge-up",
                },
            },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": [address.ip().to_string()], "conditions": { "ready": true } }],
            "ports": [{ "name": "https", "port": address.port(), "protocol": "TCP" }],
        }),
        api_service(&STANDARD.encode(authority_pem)),
    ]
}
