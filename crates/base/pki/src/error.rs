//! What can go wrong with a key or a certificate; every function of this crate answers with it.

use std::path::PathBuf;

/// A step with keys or certificates that failed, with what is needed to act on it.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A key pair could not be made or read.
    #[error("the private key cannot be used")]
    Key(#[source] rcgen::Error),
    /// A certificate or request could not be built.
    #[error("the certificate for {subject} cannot be made")]
    Issue {
        /// Whose certificate it was to be.
        subject: String,
        /// What the library said.
        source: rcgen::Error,
    },
    /// The signing of a request failed in the encoding of the certificate.
    #[error("the certificate for the request cannot be encoded: {0}")]
    Encode(String),
    /// A PEM block is missing or not what it should be.
    #[error("this is not a PEM {expected}: {found}")]
    Pem {
        /// What was looked for, such as `certificate`.
        expected: &'static str,
        /// What the parser met instead.
        found: String,
    },
    /// A certificate signing request whose signature does not match its key.
    #[error("the request is not signed by the key that it carries")]
    RequestSignature,
    /// rustls refused the certificate chain, key or authority.
    #[error("the TLS configuration is refused")]
    Tls(#[source] rustls::Error),
    /// A certificate is not one that a client would accept.
    #[error("the certificate would not be accepted")]
    Untrusted(#[source] rustls::Error),
    /// The machine trusts nobody that could be read.
    #[error(
        "this machine has no certificate authorities{0}; they come with the package ca-certificates, or with SSL_CERT_FILE"
    )]
    NoAuthorities(String),
    /// The authority given to check clients by is not usable.
    #[error("the client authority is refused: {0}")]
    ClientAuthority(String),
    /// A file of keys or certificates could not be read or written.
    #[error("{path}: cannot be {action}")]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}
