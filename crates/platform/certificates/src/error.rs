//! Why there is no certificate.

use std::time::Duration;

use toolforge_pki::PkiError;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// No key or request can be made.
    #[error("cannot make a key")]
    Key(#[source] PkiError),
    /// Making the key ended badly.
    #[error("making a key ended badly")]
    Thread(#[source] tokio::task::JoinError),
    /// The API refused, or did not answer.
    #[error("cannot {step} the certificate request {name}")]
    Api {
        /// What was to be done.
        step: &'static str,
        /// The request.
        name: String,
        /// What the API said.
        #[source]
        source: Box<kube::Error>,
    },
    /// The request cannot be followed.
    #[error("cannot watch the certificate request {name}")]
    Watch {
        /// The request.
        name: String,
        /// What the API said.
        #[source]
        source: Box<kube::runtime::wait::Error>,
    },
    /// Somebody else makes requests of this name.
    #[error(
        "the certificate request {name} comes back as fast as it is removed; something else uses this name"
    )]
    Stale {
        /// The request.
        name: String,
    },
    /// This client may not approve it, and nobody else does.
    #[error(
        "nobody approved the certificate request {name} within {} seconds: whoever made it may not approve requests to \
         {signer}, so that somebody else has to, such as a controller that approves",
        within.as_secs()
    )]
    NotApproved {
        /// The request.
        name: String,
        /// Whose signature it is for.
        signer: String,
        /// How long it waited.
        within: Duration,
    },
    /// It is approved, and nobody signs it.
    #[error(
        "no signer issued a certificate for {name} within {} seconds: it is approved, and {} has to sign it",
        within.as_secs(),
        who_signs(signer)
    )]
    NotSigned {
        /// The request.
        name: String,
        /// Whose signature it waits for.
        signer: String,
        /// How long it waited.
        within: Duration,
    },
    /// Somebody denied it, or the signer would not sign it.
    #[error("the certificate request {name} was refused ({verdict}): {reason}")]
    Refused {
        /// The request.
        name: String,
        /// `Denied`, `Failed` or `Removed`.
        verdict: String,
        /// In the words of who refused.
        reason: String,
    },
    /// What was signed is no certificate.
    #[error("the signer's certificate for {name} is not usable")]
    Certificate {
        /// The request.
        name: String,
        /// What is wrong.
        #[source]
        source: PkiError,
    },
    /// The certificate is somebody else's.
    #[error("the signer's certificate for {name} is made out to {found:?}")]
    WrongName {
        /// The request.
        name: String,
        /// Whose it is.
        found: String,
    },
}

/// Whose work a signature is, and what it takes.
fn who_signs(signer: &str) -> String {
    if signer.starts_with("kubernetes.io/") {
        format!(
            "the signer {signer} of kube-controller-manager (which needs --cluster-signing-cert-file and \
             --cluster-signing-key-file; some hosted clusters do not have it)"
        )
    } else {
        format!("whoever runs the signer {signer}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_to_sign_is_named() {
        let waited = |signer: &str| {
            IssueError::NotSigned {
                name: "a".to_owned(),
                signer: signer.to_owned(),
                within: Duration::from_mins(1),
            }
            .to_string()
        };
        let own = "no signer issued a certificate for a within 60 seconds: it is approved, and ";
        assert_eq!(
            waited("example.org/webhooks"),
            format!("{own}whoever runs the signer example.org/webhooks has to sign it")
        );
        assert!(waited("kubernetes.io/kubelet-serving").contains("kube-controller-manager"));
    }
}
