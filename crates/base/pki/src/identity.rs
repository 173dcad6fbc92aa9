//! A certificate with its key: what a server or a client presents.

use std::fmt;

/// A certificate chain together with its private key, both as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, followed by the certificates it stands on, if any.
    pub certificate_pem: String,
    /// The private key (PKCS#8). Never to be logged.
    pub key_pem: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}
