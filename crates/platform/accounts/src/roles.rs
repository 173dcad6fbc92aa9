//! The roles that go with the accounts: what a tool may do in its namespace, what an admin may, and what the
//! account service itself needs.
//!
//! Data only. Whoever sets up a cluster applies them; the account service has no right to change them.

use serde_json::{Value, json};
use toolforge_policy::psp::{GROUP, PLURAL};

use crate::desired::{ADMIN_ROLE, OBSERVER_ROLE, TOOL_ROLE, VIEW_ROLE};

/// The name of the Lease by which replicas of the service find out which of them acts.
pub const LEASE: &str = "toolforge-accounts";

const READ: [&str; 3] = ["get", "list", "watch"];
const ALL: [&str; 8] = [
    "get",
    "list",
    "watch",
    "create",
    "delete",
    "deletecollection",
    "patch",
    "update",
];

/// The `ClusterRole` `tools-user`, which every tool has in its own namespace.
pub fn tool_role() -> Value {
    role(
        TOOL_ROLE,
        &[
            rule(
                "",
                &[
                    "bindings",
                    "events",
                    "limitranges",
                    "namespaces",
                    "namespaces/status",
                    "persistentvolumeclaims",
                    "pods/log",
                    "pods/status",
                    "replicationcontrollers",
                    "resourcequotas",
                    "resourcequotas/status",
                ],
                &READ,
            ),
            rule(
                "",
                &[
                    "configmaps",
                    "endpoints",
                    "pods",
                    "pods/attach",
                    "pods/exec",
                    "pods/portforward",
                    "pods/proxy",
                    "secrets",
                    "services",
                    "services/proxy",
                ],
                &ALL,
            ),
            // Not in the facts: what `kubectl debug` does. The guards look at these containers as at all others.
            rule("", &["pods/ephemeralcontainers"], &["get", "patch", "update"]),
            rule("apps", &["controllerrevisions", "daemonsets"], &READ),
            rule(
                "apps",
                &[
                    "deployments",
                    "deployments/rollback",
                    "deployments/scale",
                    "replicasets",
                    "replicasets/scale",
                    "statefulsets",
                    "statefulsets/scale",
                ],
                &ALL,
            ),
            rule("autoscaling", &["horizontalpodautoscalers"], &READ),
            rule("batch", &["cronjobs", "jobs"], &ALL),
            // Not in the facts: newer kubectl reads these to describe a Service.
            rule("discovery.k8s.io", &["endpointslices"], &READ),
            rule("networking.k8s.io", &["ingresses", "networkpolicies"], &ALL),
            rule("policy", &["poddisruptionbudgets"], &READ),
            rule("metrics.k8s.io", &["pods"], &READ),
        ],
    )
}

/// The `ClusterRole` `k8s-admin`: to act as anybody, for those who mean to.
pub fn admin_role() -> Value {
    role(
        ADMIN_ROLE,
        &[rule(
            "",
            &["users", "groups", "serviceaccounts"],
            &["impersonate"],
        )],
    )
}

/// What the account service has to be allowed, as the `ClusterRole` `toolforge-accounts`.
pub fn service_role() -> Value {
    let bind = json!({
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["clusterroles"],
        "resourceNames": [TOOL_ROLE, ADMIN_ROLE, VIEW_ROLE, OBSERVER_ROLE],
        "verbs": ["bind"],
    });
    let signer = json!({
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["signers"],
        "resourceNames": ["kubernetes.io/kube-apiserver-client"],
        "verbs": ["approve"],
    });
    let lease = json!({
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [LEASE],
        "verbs": ["get", "list", "watch", "update"],
    });
    let write = ["get", "list", "watch", "create", "patch", "update"];
    role(
        "toolforge-accounts",
        &[
            rule(
                "",
                &["namespaces", "resourcequotas", "limitranges", "configmaps"],
                &write,
            ),
            rule("", &["namespaces"], &["delete"]),
            rule("events.k8s.io", &["events"], &["create"]),
            // To stop what a locked or removed tool runs, and to start it again.
            rule(
                "apps",
                &["deployments", "statefulsets", "replicasets"],
                &["list", "patch"],
            ),
            rule("", &["replicationcontrollers"], &["list", "patch"]),
            rule("batch", &["jobs", "cronjobs"], &["list", "patch"]),
            rule("", &["pods"], &["list", "delete"]),
            // For the archive of a removed tool: everything else that a tool can have.
            rule(
                "",
                &["endpoints", "persistentvolumeclaims", "secrets", "services"],
                &["list"],
            ),
            // Also for the archive, and for those of tools that observe the cluster.
            rule(
                "",
                &["serviceaccounts"],
                &["get", "list", "watch", "create", "patch", "update", "delete"],
            ),
            rule("networking.k8s.io", &["ingresses"], &["list"]),
            rule(
                "networking.k8s.io",
                &["networkpolicies"],
                &["get", "list", "watch", "create", "patch", "update", "delete"],
            ),
            rule("policy", &["poddisruptionbudgets"], &["list"]),
            rule("autoscaling", &["horizontalpodautoscalers"], &["list"]),
            rule(
                "rbac.authorization.k8s.io",
                &["rolebindings", "clusterrolebindings"],
                &["get", "list", "watch", "create", "patch", "update", "delete"],
            ),
            rule(
                "rbac.authorization.k8s.io",
                &["roles"],
                &["get", "list", "watch", "create", "patch", "update"],
            ),
            // Nobody may grant what they lack: to give each tool the use of its policy, the service holds it for all.
            rule(
                GROUP,
                &[PLURAL],
                &[
                    "get", "list", "watch", "create", "patch", "update", "delete", "use",
                ],
            ),
            bind,
            // To be the one of several replicas that acts. What is created has no name yet that a rule could ask for.
            lease,
            rule("coordination.k8s.io", &["leases"], &["create"]),
            rule(
                "certificates.k8s.io",
                &["certificatesigningrequests"],
                &["get", "list", "watch", "create", "delete"],
            ),
            rule(
                "certificates.k8s.io",
                &["certificatesigningrequests/approval"],
                &["update"],
            ),
            signer,
        ],
    )
}

fn role(name: &str, rules: &[Value]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name },
        "rules": rules,
    })
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": [group], "resources": resources, "verbs": verbs })
}
