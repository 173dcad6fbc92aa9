//! What may be asked of the signers of client certificates: Kubernetes' admission plugin `CertificateSubjectRestriction`.
//!
//! Called by admission and by the restrictions of nodes. The message is Kubernetes' own.
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#certificatesubjectrestriction>.

use base64::Engine as _;
use serde_json::Value;
use toolforge_kinds::{Kind, Status};
use toolforge_pki::Requested;

/// The signer of certificates for clients of the API.
const API_CLIENT: &str = "kubernetes.io/kube-apiserver-client";
/// The group of those who may do everything.
const MASTERS: &str = "system:masters";

/// Refuses a new request that would make a master; other objects pass.
pub(crate) fn admit(kind: &Kind, name: &str, object: &Value) -> Result<(), Status> {
    if kind.kind != "CertificateSigningRequest" || signer(object) != API_CLIENT {
        return Ok(());
    }
    let requested = read(object)
        .map_err(|error| Status::forbidden(kind, name, &format!("failed to parse CSR: {error}")))?;
    if requested.organizations.iter().any(|group| group == MASTERS) {
        let why = format!("use of {API_CLIENT} signer with {MASTERS} group is not allowed");
        return Err(Status::forbidden(kind, name, &why));
    }
    Ok(())
}

/// The signer that a request is for.
pub(crate) fn signer(object: &Value) -> &str {
    object
        .pointer("/spec/signerName")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Whom a request is for; what is wrong with it in words, if it cannot be read.
pub(crate) fn read(object: &Value) -> Result<Requested, String> {
    let text = object
        .pointer("/spec/request")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|error| error.to_string())?;
    let pem = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    toolforge_pki::read_request_pem(&pem).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use toolforge_kinds::by_kind;

    use super::*;

    fn request(signer: &str, organizations: &[&str]) -> Value {
        let (_, pem) = toolforge_pki::new_request("ada", organizations).unwrap();
        let pem = base64::engine::general_purpose::STANDARD.encode(pem);
        json!({"spec": {"signerName": signer, "request": pem}})
    }

    #[test]
    fn no_master_is_asked_for() {
        let kind = by_kind("certificates.k8s.io", "v1", "CertificateSigningRequest").unwrap();
        let admit = |object: &Value| admit(kind, "a", object).map_err(|status| status.message);
        assert_eq!(admit(&request(API_CLIENT, &["toolforge"])), Ok(()));
        let refused = admit(&request(API_CLIENT, &["toolforge", MASTERS])).unwrap_err();
        let why =
            "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed";
        assert!(refused.ends_with(why), "{refused}");
        // Whoever else signs decides for itself.
        assert_eq!(admit(&request("example.org/own", &[MASTERS])), Ok(()));
        let nothing = json!({"spec": {"signerName": API_CLIENT, "request": "AAAA"}});
        assert!(admit(&nothing).unwrap_err().contains("failed to parse CSR"));
    }
}
