//! The `PodSecurityPolicy` kind, its classes that every platform has, and who may use them. Each tool's own policy is
//! made by the account service.

use serde_json::{Value, json};
use toolforge_model::names::{FOUROHFOUR_NAMESPACE, K8S_STATUS_NAMESPACE};
use toolforge_policy::psp::{
    GROUP, PLURAL, PodSecurityPolicy, default_policy, definition, privileged_policy,
};

use super::SERVICE_NAMESPACE;

/// The role to read policies by name.
const READER: &str = "toolforge-psp-reader";
/// The group of all tools.
const TOOLS: &str = "toolforge";
const RBAC: &str = "rbac.authorization.k8s.io";

/// The definition comes first: the policies are of its kind.
pub(super) fn all() -> Vec<Value> {
    let privileged = privileged_policy();
    let mut objects = vec![definition()];
    for policy in [&privileged, &default_policy()] {
        objects.extend([policy.to_object(), user_role(policy)]);
    }
    // As the original bound it: what keeps the cluster going is not held up by policies.
    objects.push(binding(
        &privileged,
        "kube-system",
        &["system:nodes", "system:serviceaccounts:kube-system"],
    ));
    let services = format!("system:serviceaccounts:{SERVICE_NAMESPACE}");
    objects.push(binding(&privileged, SERVICE_NAMESPACE, &[&services]));
    // Where the guard stands before all namespaces, also before that of the pages.
    for namespace in [FOUROHFOUR_NAMESPACE, K8S_STATUS_NAMESPACE] {
        let pages = format!("system:serviceaccounts:{namespace}");
        objects.push(binding(&default_policy(), namespace, &[&pages]));
    }
    objects.extend(reader());
    objects
}

/// Tools read by name what they may use: `toolforge check --from-platform` judges by it.
fn reader() -> [Value; 2] {
    let role = json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRole",
        "metadata": { "name": READER },
        "rules": [{ "apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["get"] }],
    });
    let binding = json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": { "name": READER },
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": READER },
        "subjects": [{ "apiGroup": RBAC, "kind": "Group", "name": TOOLS }],
    });
    [role, binding]
}

/// The `ClusterRole` with the policy's name, for others to bind.
fn user_role(policy: &PodSecurityPolicy) -> Value {
    let name = role_name(policy);
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRole",
        "metadata": { "name": name },
        "rules": [
            { "apiGroups": [GROUP], "resources": [PLURAL], "resourceNames": [policy.name()], "verbs": ["use"] },
        ],
    })
}

fn role_name(policy: &PodSecurityPolicy) -> String {
    match policy.name() {
        // A cluster role called "default" would say nothing.
        "default" => "default-psp".to_owned(),
        name => name.to_owned(),
    }
}

fn binding(policy: &PodSecurityPolicy, namespace: &str, groups: &[&str]) -> Value {
    let group = |name: &&str| json!({ "apiGroup": RBAC, "kind": "Group", "name": name });
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "RoleBinding",
        "metadata": { "name": role_name(policy), "namespace": namespace },
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": role_name(policy) },
        "subjects": groups.iter().map(group).collect::<Vec<_>>(),
    })
}
