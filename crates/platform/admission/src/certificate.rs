//! What certificate the server asks the cluster for. Pure; how it is asked for is `toolforge-certificates`.

use std::time::Duration;

use toolforge_certificates::{RENEWED_AFTER, Request, Serving};

/// Kubernetes' own signer of certificates for servers: kube-controller-manager signs whatever is approved and has the subject of a
/// node. What it signs is not good for clients, so nobody is a node by it.
pub const DEFAULT_SIGNER: &str = "kubernetes.io/kubelet-serving";
/// The `ConfigMap` with the cluster's authorities, which Kubernetes keeps in every namespace.
pub const AUTHORITIES: &str = "kube-root-ca.crt";
/// Its key.
pub const AUTHORITY_KEY: &str = "ca.crt";

/// How long the signer may take before the attempt counts as failed; it is repeated.
const PATIENCE: Duration = Duration::from_mins(1);
/// The longest common name (RFC 5280, ub-common-name).
const LONGEST_NAME: usize = 64;
/// What the signer wants before the name of a node.
const NODE: &str = "system:node:";

/// What the replica `replica` asks `signer` for: a certificate for a server with these DNS names.
///
/// Each replica has its own request, key and certificate.
pub fn serving(replica: &str, signer: &str, dns_names: Vec<String>, lifetime: Duration) -> Serving {
    let first = dns_names.first().map(String::as_str).unwrap_or_default();
    let (common_name, organizations) = subject(signer, first);
    Serving {
        request: Request {
            object: object_name(replica),
            signer: signer.to_owned(),
            usages: &["digital signature", "server auth"],
            common_name,
            organizations,
            dns_names,
            key: toolforge_pki::KeyKind::default(),
            lifetime: Some(lifetime),
            reason: "the admission server made this request itself",
            others_may_approve: true,
            patience: PATIENCE,
        },
        renewed_after: RENEWED_AFTER,
    }
}

/// CN and O: what Kubernetes' signer wants, and for others the name alone.
fn subject(signer: &str, dns_name: &str) -> (String, Vec<String>) {
    let fits = |name: String| {
        if name.len() <= LONGEST_NAME {
            name
        } else {
            name[..name.len() - dns_name.len()].to_owned() + "toolforge-admission"
        }
    };
    if signer == DEFAULT_SIGNER {
        (fits(format!("{NODE}{dns_name}")), vec!["system:nodes".to_owned()])
    } else {
        (fits(dns_name.to_owned()), Vec::new())
    }
}

/// A name that an object may have, of whatever the machine or Pod is called.
fn object_name(replica: &str) -> String {
    let kept: String = replica
        .to_ascii_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
        .take(200)
        .collect();
    format!("toolforge-admission-{kept}")
        .trim_end_matches('-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(replica: &str, signer: &str, name: &str) -> Request {
        let day = Duration::from_hours(24);
        serving(replica, signer, vec![name.to_owned()], day).request
    }

    #[test]
    fn kubernetes_signer_gets_the_subject_of_a_node() {
        let request = asked(
            "admission-7d4-x",
            DEFAULT_SIGNER,
            "admission.toolforge-system.svc",
        );
        assert_eq!(request.common_name, "system:node:admission.toolforge-system.svc");
        assert_eq!(request.organizations, ["system:nodes"]);
        assert_eq!(request.usages, ["digital signature", "server auth"]);
        assert_eq!(request.object, "toolforge-admission-admission-7d4-x");
        let long = "a".repeat(63) + ".toolforge-system.svc";
        let request = asked("a", DEFAULT_SIGNER, &long);
        assert_eq!(request.common_name, "system:node:toolforge-admission");
        assert_eq!(request.dns_names, std::slice::from_ref(&long));
    }

    #[test]
    fn other_signers_get_the_name() {
        let request = asked("a", "example.org/webhooks", "admission.toolforge-system.svc");
        assert_eq!(request.common_name, "admission.toolforge-system.svc");
        assert!(request.organizations.is_empty());
        let long = "a".repeat(63) + ".toolforge-system.svc";
        assert_eq!(
            asked("a", "example.org/webhooks", &long).common_name,
            "toolforge-admission"
        );
    }

    #[test]
    fn requests_are_called_what_objects_may_be() {
        for (replica, object) in [
            ("Host_1.example", "toolforge-admission-host1example"),
            ("", "toolforge-admission"),
            ("-", "toolforge-admission"),
        ] {
            assert_eq!(object_name(replica), object);
        }
        assert!(object_name(&"x".repeat(300)).len() <= 253);
    }
}
