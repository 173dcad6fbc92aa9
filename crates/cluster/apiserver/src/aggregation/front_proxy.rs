//! How the API proves to other servers that what it says of a user is true: a certificate of an authority that signs
//! nothing else.
//!
//! The authority is made anew at each start and never written to disk; others find it in the `ConfigMap`
//! `kube-system/extension-apiserver-authentication`, which they follow.

use serde_json::{Value, json};
use toolforge_pki::{Authority, Identity, PkiError};

/// The name that others let in.
const NAME: &str = "front-proxy-client";

/// The API towards other servers.
#[derive(Debug)]
pub(crate) struct FrontProxy {
    authority_pem: String,
    identity: Identity,
}

impl FrontProxy {
    pub(super) fn create() -> Result<Self, PkiError> {
        let authority = Authority::create("toolforge front proxy")?;
        Ok(Self {
            identity: authority.issue_client(NAME, &[])?,
            authority_pem: authority.certificate_pem().to_owned(),
        })
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What other servers need to know of the API; `client_ca_pem` is the authority of its own clients.
    pub(crate) fn published(&self, client_ca_pem: &str) -> Value {
        let list = |words: &[&str]| json!(words).to_string();
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "extension-apiserver-authentication", "namespace": "kube-system" },
            "data": {
                "client-ca-file": client_ca_pem,
                "requestheader-client-ca-file": self.authority_pem,
                "requestheader-allowed-names": list(&[NAME]),
                "requestheader-username-headers": list(&["X-Remote-User"]),
                "requestheader-uid-headers": list(&["X-Remote-Uid"]),
                "requestheader-group-headers": list(&["X-Remote-Group"]),
                "requestheader-extra-headers-prefix": list(&["X-Remote-Extra-"]),
            },
        })
    }
}
