//! Which authority a client's certificate comes from, for servers that take those of several and trust them with different
//! things.

use std::{fmt, sync::Arc, time::SystemTime};

use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::{error::PkiError, tls::client_verifier};

/// An authority of clients' certificates.
#[derive(Clone)]
pub struct ClientAuthority(Arc<dyn ClientCertVerifier>);

impl ClientAuthority {
    /// Of the certificates in this PEM text.
    ///
    /// # Errors
    /// When it holds none.
    pub fn read(pem: &str) -> Result<Self, PkiError> {
        crate::install_provider();
        client_verifier(pem).map(Self)
    }

    /// Whether a client may present this certificate at `now`, by this authority alone and without others in between.
    pub fn has_signed(&self, certificate_der: &[u8], now: SystemTime) -> bool {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let certificate = CertificateDer::from(certificate_der);
        let verified = self
            .0
            .verify_client_cert(&certificate, &[], UnixTime::since_unix_epoch(since));
        verified.is_ok()
    }
}

impl fmt::Debug for ClientAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthority").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Authority;

    #[test]
    fn two_authorities_are_told_apart() {
        let (one, other) = (
            Authority::create("one").unwrap(),
            Authority::create("other").unwrap(),
        );
        let identity = one.issue_client("ada", &[]).unwrap();
        let der = crate::read_bundle(&identity.certificate_pem).unwrap().remove(0);
        let signed = |authority: &Authority, now| {
            ClientAuthority::read(authority.certificate_pem())
                .unwrap()
                .has_signed(&der, now)
        };
        let now = SystemTime::now();
        assert!(signed(&one, now));
        assert!(!signed(&other, now));
        assert!(
            !signed(&one, now + Duration::from_hours(40 * 365 * 24)),
            "expired"
        );
        let server = one.issue_server(&["localhost"]).unwrap();
        let der = crate::read_bundle(&server.certificate_pem).unwrap().remove(0);
        let authority = ClientAuthority::read(one.certificate_pem()).unwrap();
        assert!(!authority.has_signed(&der, now), "that is a server's");
        assert!(ClientAuthority::read("nothing").is_err());
    }
}
