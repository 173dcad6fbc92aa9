//! What the server may do in the cluster: read the namespaces of tools and who may use which Pod security policy, and
//! keep its own two configurations right; where the cluster issues its certificate, also what that takes.

use serde_json::{Value, json};
use toolforge_policy::psp::{GROUP, PLURAL};

use crate::certificate::AUTHORITIES;
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

/// The rules for who asks the cluster for its certificate, beside [`service_rules`]: to make and approve requests for this
/// signer, and no other.
pub fn certificate_rules(signer: &str) -> Vec<Value> {
    vec![
        json!({
            "apiGroups": ["certificates.k8s.io"],
            "resources": ["certificatesigningrequests"],
            "verbs": ["get", "list", "watch", "create", "delete"],
        }),
        json!({
            "apiGroups": ["certificates.k8s.io"],
            "resources": ["certificatesigningrequests/approval"],
            "verbs": ["update"],
        }),
        json!({
            "apiGroups": ["certificates.k8s.io"],
            "resources": ["signers"],
            "resourceNames": [signer],
            "verbs": ["approve"],
        }),
    ]
}

/// The rules, in its own namespace, for who knows its authorities from a `ConfigMap`.
pub fn authority_rules() -> Vec<Value> {
    vec![json!({
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [AUTHORITIES],
        "verbs": ["get", "list", "watch"],
    })]
}
