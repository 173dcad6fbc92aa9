//! The kubeconfig that lets a client in: server, authority and credentials in one text.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use toolforge_pki::Identity;

/// A kubeconfig with everything inline. It holds a private key: write it 0600.
///
/// The text is JSON, which every reader of YAML takes.
pub fn kubeconfig(server: &str, ca_pem: &str, identity: &Identity, context: &str, namespace: &str) -> String {
    let config = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": context,
            "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca_pem) },
        }],
        "users": [{
            "name": context,
            "user": {
                "client-certificate-data": STANDARD.encode(&identity.certificate_pem),
                "client-key-data": STANDARD.encode(&identity.key_pem),
            },
        }],
        "contexts": [{
            "name": context,
            "context": { "cluster": context, "user": context, "namespace": namespace },
        }],
        "current-context": context,
    });
    format!("{config:#}\n")
}
