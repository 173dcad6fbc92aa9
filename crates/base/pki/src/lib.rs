//! Keys, certificates and the one TLS provider of the platform.
//!
//! Everything that signs, reads or presents a certificate goes through here, so that there is one
//! choice of algorithm (ECDSA P-256), one provider (aws-lc-rs) and one place in which Kubernetes'
//! reading of a subject (CN is the user, each O a group) is written down. It must not know what a
//! certificate is for.

mod authority;
mod bundle;
mod clients;
mod error;
mod files;
mod identity;
mod key;
mod read;
mod request;
mod server;
mod signing;
mod tls;
mod unverified;

pub use authority::{Authority, Usage, Usages};
pub use bundle::{check_server, read_bundle, write_bundle};
pub use clients::ClientAuthority;
pub use error::PkiError;
pub use files::write_private;
pub use identity::Identity;
pub use key::{KeyKind, UnknownKeyKind};
pub use read::{Certified, Requested, read_certificate_der, read_certificate_pem, read_request_pem};
pub use request::{new_key_request, new_request, new_server_request};
pub use server::{ServerCertificate, ServerCertificateError};
pub use signing::{SigningKey, sha256};
pub use tls::{
    certified_key, client_config, install_provider, public_client_config, resolving_server_config,
    resolving_server_config_for_clients, server_config,
};
pub use unverified::unverified_client_config;
