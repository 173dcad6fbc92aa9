//! What Prometheus may: read figures, and on a cluster find out where they are told. It is a user with a certificate on one
//! machine, a service account on a cluster, like any component.

use serde_json::{Value, json};
use toolforge_model::names::{FOUROHFOUR_NAMESPACE, K8S_STATUS_NAMESPACE};

use super::roles::{READ, SERVICE_NAMESPACE, cluster_role, component_binding, rule, subjects};

/// The user that it is.
pub(crate) const USER: &str = "toolforge:prometheus";
const COMPONENT: &str = "prometheus";
const ROLE: &str = "toolforge-prometheus";
/// Where the Services and Pods are that tell figures; that of the API is in `default`.
const PLACES: [&str; 4] = [
    "default",
    SERVICE_NAMESPACE,
    FOUROHFOUR_NAMESPACE,
    K8S_STATUS_NAMESPACE,
];

/// `nodes/metrics` is kubelet's `/metrics` and what is below it. (`nodes/proxy` would lead into containers as well.)
pub(super) fn rights() -> Vec<Value> {
    let rules = [
        json!({ "nonResourceURLs": ["/metrics"], "verbs": ["get"] }),
        rule(&[""], &["nodes/metrics"], &["get"]),
        rule(&[""], &["nodes"], &READ),
    ];
    let role = cluster_role(ROLE, &rules);
    let binding = component_binding(&json!(ROLE), COMPONENT);
    let finding = PLACES.iter().flat_map(|namespace| finding(namespace));
    [role, binding].into_iter().chain(finding).collect()
}

/// To find the addresses behind a namespace's Services.
fn finding(namespace: &str) -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    let metadata = json!({ "name": ROLE, "namespace": namespace });
    let rules = [
        rule(&[""], &["services", "pods"], &READ),
        rule(&["discovery.k8s.io"], &["endpointslices"], &READ),
    ];
    [
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": rules,
        }),
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
            "roleRef": { "apiGroup": group, "kind": "Role", "name": ROLE },
            "subjects": subjects(COMPONENT),
        }),
    ]
}
