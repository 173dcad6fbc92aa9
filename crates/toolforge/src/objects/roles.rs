//! Who may do what: the shared role of all tools, and one role for each component, no wider than its work.

use serde_json::{Value, json};
use toolforge_accounts::OBSERVER_ROLE;
use toolforge_model::names::{
    FOUROHFOUR_NAMESPACE, FOUROHFOUR_SERVICE, K8S_STATUS_NAMESPACE, K8S_STATUS_TOOL,
};

/// Where the components' service accounts live on a cluster.
pub(crate) const SERVICE_NAMESPACE: &str = "toolforge-system";

pub(super) const READ: [&str; 3] = ["get", "list", "watch"];

/// All roles and their bindings.
pub(super) fn all() -> Vec<Value> {
    let components = [
        ("accounts", toolforge_accounts::service_role()),
        (
            "admission",
            cluster_role("toolforge-admission", &toolforge_admission::service_rules()),
        ),
        ("gateway", cluster_role("toolforge-gateway", &gateway())),
        (
            "fourohfour",
            cluster_role("toolforge-fourohfour", &[rule(&[""], &["namespaces"], &READ)]),
        ),
        (K8S_STATUS_TOOL, cluster_role(OBSERVER_ROLE, &observer())),
    ];
    let mut objects = vec![toolforge_accounts::tool_role(), toolforge_accounts::admin_role()];
    for (component, role) in components {
        objects.push(component_binding(&role["metadata"]["name"], component));
        objects.push(role);
    }
    objects
}

/// What the guards need beside their role where the cluster issues their certificate: to approve their own requests to
/// `signer`, and to read the authorities of their namespace.
pub(crate) fn certificate_rights(signer: &str) -> Vec<Value> {
    let name = "toolforge-admission-certificate";
    let role = cluster_role(name, &toolforge_admission::certificate_rules(signer));
    let metadata = json!({ "name": name, "namespace": SERVICE_NAMESPACE });
    vec![
        component_binding(&json!(name), "admission"),
        role,
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": toolforge_admission::authority_rules(),
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
            "subjects": subjects("admission"),
        }),
    ]
}

/// The role to see everything that is everybody's to see (facts section 3.3): no Secrets, no logs, no way into a Pod.
fn observer() -> Vec<Value> {
    vec![
        rule(
            &[""],
            &[
                "configmaps",
                "endpoints",
                "events",
                "limitranges",
                "namespaces",
                "nodes",
                "nodes/status",
                "persistentvolumeclaims",
                "pods",
                "replicationcontrollers",
                "resourcequotas",
                "serviceaccounts",
                "services",
            ],
            &READ,
        ),
        rule(
            &["apps"],
            &["daemonsets", "deployments", "replicasets", "statefulsets"],
            &READ,
        ),
        rule(&["batch"], &["cronjobs", "jobs"], &READ),
        rule(&["discovery.k8s.io"], &["endpointslices"], &READ),
        rule(&["events.k8s.io"], &["events"], &READ),
        rule(&["metrics.k8s.io"], &["nodes", "pods"], &READ),
        rule(
            &["networking.k8s.io"],
            &["ingressclasses", "ingresses", "networkpolicies"],
            &READ,
        ),
        rule(&["policy"], &["poddisruptionbudgets"], &READ),
    ]
}

fn gateway() -> Vec<Value> {
    vec![
        rule(&[""], &["namespaces", "services"], &READ),
        // Only those of type kubernetes.io/tls are asked for; a rule cannot say so.
        rule(&[""], &["secrets"], &["list", "watch"]),
        rule(&["discovery.k8s.io"], &["endpointslices"], &READ),
        rule(&["networking.k8s.io"], &["ingresses", "ingressclasses"], &READ),
        rule(
            &["networking.k8s.io"],
            &["ingresses/status"],
            &["get", "update", "patch"],
        ),
        // Why an Ingress is not served.
        rule(&[""], &["events"], &["create", "get", "patch"]),
    ]
}

pub(super) fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": groups, "resources": resources, "verbs": verbs })
}

pub(super) fn cluster_role(name: &str, rules: &[Value]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name },
        "rules": rules,
    })
}

/// A component is a user with a certificate on one machine, a service account on a cluster.
pub(super) fn component_binding(role: &Value, component: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": role },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": subjects(component),
    })
}

pub(super) fn subjects(component: &str) -> Value {
    // The pages' Services are where the gateway looks for them, and their Pods with them.
    let namespace = match component {
        FOUROHFOUR_SERVICE => FOUROHFOUR_NAMESPACE,
        K8S_STATUS_TOOL => K8S_STATUS_NAMESPACE,
        _ => SERVICE_NAMESPACE,
    };
    json!([
        {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "User",
            "name": format!("toolforge:{component}"),
        },
        { "kind": "ServiceAccount", "name": component, "namespace": namespace },
    ])
}
