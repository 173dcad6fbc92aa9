//! What the server may do in the cluster: read the namespaces of tools and who may use which Pod security policy, and
//! keep its own two configurations right.

use serde_json::{Value, json};
use toolforge_policy::psp::{GROUP, PLURAL};

use crate::webhooks::CONFIGURATION_NAME;

/// The rules of the role of the admission server.
pub fn service_rules() -> Vec<Value> {
    vec![
        json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]}),
        json!({"apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["get", "list", "watch"]}),
        json!({
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
            "verbs": ["get", "list", "watch"],
        }),
        json!({
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
            "resourceNames": [CONFIGURATION_NAME],
            "verbs": ["get", "list", "watch", "patch"],
        }),
    ]
}
