//! What lets a tool have Pods: its `PodSecurityPolicy`, and the role and the bindings that give it to the tool and to
//! its namespace's service account.

use serde_json::{Value, json};
use toolforge_model::{ToolAccount, ToolName, labels};
use toolforge_policy::psp::{GROUP, PLURAL, ToolClass, tool_policy, tool_policy_name};

use super::{MANAGER, RBAC, metadata, owned_by};
use crate::snapshot::Tool;

/// The policy, the role, and the two bindings.
pub(super) fn objects(tool: &Tool, class: &ToolClass, uid: Option<&str>) -> Vec<Value> {
    let account =
        json!({ "kind": "ServiceAccount", "name": "default", "namespace": tool.name.namespace().as_str() });
    let user = json!({ "apiGroup": RBAC, "kind": "User", "name": tool.name.as_str() });
    let [for_user, for_account] = bindings(&tool.name);
    vec![
        policy(tool, class, uid),
        role(tool),
        binding(tool, &for_user, &user),
        binding(tool, &for_account, &account),
    ]
}

/// The names of the two bindings: the tool's, and its service account's.
pub(super) fn bindings(tool: &ToolName) -> [String; 2] {
    [
        format!("{}-binding", tool_policy_name(tool)),
        format!("default-{tool}-psp-binding"),
    ]
}

fn policy(tool: &Tool, class: &ToolClass, uid: Option<&str>) -> Value {
    let account = ToolAccount {
        uid: tool.uid,
        home: tool.home.to_string_lossy().into_owned(),
    };
    let mut policy = tool_policy(&tool.name, &account, class).to_object();
    policy["metadata"]["labels"] = json!({ labels::MANAGED_BY: MANAGER });
    if let Some(uid) = uid {
        policy["metadata"]["ownerReferences"] = owned_by(&tool.name, uid);
    }
    policy
}

fn role(tool: &Tool) -> Value {
    let name = tool_policy_name(&tool.name);
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "Role",
        "metadata": metadata(tool, &name),
        "rules": [{ "apiGroups": [GROUP], "resources": [PLURAL], "resourceNames": [name], "verbs": ["use"] }],
    })
}

fn binding(tool: &Tool, name: &str, subject: &Value) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "RoleBinding",
        "metadata": metadata(tool, name),
        "roleRef": { "apiGroup": RBAC, "kind": "Role", "name": tool_policy_name(&tool.name) },
        "subjects": [subject],
    })
}
