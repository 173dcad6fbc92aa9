//! What lets a tool see the whole cluster, where the overrides say so: a service account of its own for the Pods that look, with
//! the role of observers everywhere, and the tool's policy, without which it could have no Pods.
//!
//! Names and label are those of the original's `wmcs-k8s-enable-cluster-monitor`.

use serde_json::{Value, json};
use toolforge_model::{ToolName, labels};
use toolforge_policy::psp::tool_policy_name;

use super::{MANAGER, RBAC, metadata, owned_by};
use crate::{plan::ObjectKey, snapshot::Tool};

/// The `ClusterRole` with which one sees everything that is everybody's to see.
pub const OBSERVER_ROLE: &str = "tool-observer";

/// How the names of service account and binding end.
const SUFFIX: &str = "-obs";

/// The original's label of what makes an observer.
const LABEL: &str = "tool.toolforge.org/name";

/// The service account and its two bindings. With the `uid` of the namespace what is in no namespace goes with that.
pub(super) fn objects(tool: &Tool, uid: Option<&str>) -> Vec<Value> {
    let (account, in_namespace) = (account_name(&tool.name), policy_binding(&tool.name));
    let subject =
        json!({ "kind": "ServiceAccount", "name": account, "namespace": tool.name.namespace().as_str() });
    let mut everywhere = json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": { "name": account, "labels": { labels::MANAGED_BY: MANAGER } },
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": OBSERVER_ROLE },
        "subjects": [subject],
    });
    if let Some(uid) = uid {
        everywhere["metadata"]["ownerReferences"] = owned_by(&tool.name, uid);
    }
    let mut objects = vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(tool, &account) }),
        json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": "RoleBinding",
            "metadata": metadata(tool, &in_namespace),
            "roleRef": { "apiGroup": RBAC, "kind": "Role", "name": tool_policy_name(&tool.name) },
            "subjects": [subject],
        }),
        everywhere,
    ];
    for object in &mut objects {
        object["metadata"]["labels"][LABEL] = json!(OBSERVER_ROLE);
    }
    objects
}

/// The keys of all three, what gives rights first.
pub(super) fn keys(tool: &ToolName) -> [ObjectKey; 3] {
    let key = |kind: &str, namespace: &str, name: String| ObjectKey {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name,
    };
    let namespace = tool.namespace();
    [
        key("ClusterRoleBinding", "", account_name(tool)),
        key("RoleBinding", namespace.as_str(), policy_binding(tool)),
        key("ServiceAccount", namespace.as_str(), account_name(tool)),
    ]
}

/// The tool that a `ClusterRoleBinding` of this name makes an observer.
pub(crate) fn observer(binding: &str) -> Option<ToolName> {
    binding.strip_suffix(SUFFIX)?.parse().ok()
}

fn account_name(tool: &ToolName) -> String {
    format!("{tool}{SUFFIX}")
}

fn policy_binding(tool: &ToolName) -> String {
    format!("{tool}{SUFFIX}-psp")
}
