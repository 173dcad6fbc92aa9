//! Who may approve a certificate request: the verb `approve` on its signer, beside the right on `/approval`.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#authorization>.

use serde_json::Value;
use toolforge_kinds::{Kind, Status, Subresource};

use super::Call;
use crate::authz::Attributes;

/// Refuses an approval or a signature by somebody without rights on the signer. Other requests pass.
pub(crate) fn check(call: &Call, name: &str) -> Result<(), Status> {
    let verb = match (call.kind.kind, call.subresource) {
        ("CertificateSigningRequest", Some(Subresource::Approval)) => "approve",
        ("CertificateSigningRequest", Some(Subresource::Status)) => "sign",
        _ => return Ok(()),
    };
    let stored = call
        .api
        .store
        .get(&call.key(name))
        .ok_or_else(|| Status::not_found(call.kind, name))?;
    let object = stored.value();
    let signer = object
        .pointer("/spec/signerName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if may(call, verb, signer) {
        return Ok(());
    }
    Err(refusal(call.kind, name, verb, signer))
}

/// The same, for patches: that the object is missing is their own answer.
pub(crate) fn check_unless_missing(call: &Call, name: &str) -> Result<(), Status> {
    match check(call, name) {
        Err(status) if status.code == 404 => Ok(()),
        other => other,
    }
}

fn may(call: &Call, verb: &str, signer: &str) -> bool {
    let domain = signer.split('/').next().unwrap_or_default();
    [signer.to_owned(), format!("{domain}/*")]
        .into_iter()
        .any(|name| {
            let wanted = Attributes {
                verb: verb.to_owned(),
                group: "certificates.k8s.io".to_owned(),
                resource: "signers".to_owned(),
                name,
                ..Attributes::default()
            };
            call.api
                .access
                .decide(&call.user, &wanted, &call.api.store)
                .is_allowed()
        })
}

fn refusal(kind: &Kind, name: &str, verb: &str, signer: &str) -> Status {
    Status::forbidden(
        kind,
        name,
        &format!("user not permitted to {verb} requests with signerName {signer:?}"),
    )
}
