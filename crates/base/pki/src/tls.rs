//! TLS configurations, made in one way: aws-lc-rs, TLS 1.2 and 1.3, HTTP/2 offered first.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs, aws_lc_rs::cipher_suite};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    server::{
        ResolvesServerCert, ServerSessionMemoryCache, WebPkiClientVerifier, danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::{Identity, PkiError};

/// Sessions of TLS 1.2 that are remembered for clients that know no tickets: few, and each takes a few hundred bytes.
const REMEMBERED_SESSIONS: usize = 4096;

/// Makes aws-lc-rs the provider of this process. Safe to call more than once.
pub fn install_provider() {
    // The only error is that a provider is installed already, and it can only be this one.
    let _ = provider().install_default();
}

/// aws-lc-rs with AES-128 before AES-256, as Go's TLS and with it `kubectl` and kube-apiserver have it: no attack tells
/// them apart, and a client that lists without pause gets a tenth more lists.
pub(crate) fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let preferred = [
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ];
    // A stable sort: the rest stays in its order, and all of TLS 1.3 stays before TLS 1.2.
    provider
        .cipher_suites
        .sort_by_key(|suite| (suite.tls13().is_none(), !preferred.contains(suite)));
    provider
}

/// A server that presents `identity`. With an authority, clients may present a certificate, which must
/// then come from it; whether one without may do anything is for the server to decide.
///
/// # Errors
/// When the PEM texts are not what they should be, or do not belong together.
pub fn server_config(identity: &Identity, client_ca_pem: Option<&str>) -> Result<ServerConfig, PkiError> {
    install_provider();
    let builder = match client_ca_pem {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(pem) => ServerConfig::builder().with_client_cert_verifier(client_verifier(pem)?),
    };
    let mut config = builder
        .with_single_cert(chain(identity)?, key(identity)?)
        .map_err(PkiError::Tls)?;
    config.alpn_protocols = alpn_protocols();
    Ok(config)
}

/// A server for everybody, whose certificates `resolver` chooses by the name that a client asks for.
///
/// Sessions are resumed: with tickets, whose keys are this configuration's own, live in memory only and are replaced
/// every six hours; with remembered sessions for clients of TLS 1.2 without tickets. A session is only resumed for the
/// name that it was made for. Nothing is taken from a client before its handshake is done (no 0-RTT), because that could
/// be played again by others.
///
/// # Errors
/// When the machine has no random numbers.
pub fn resolving_server_config(resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, PkiError> {
    let mut config = resolving(resolver, None)?;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(PkiError::Tls)?;
    config.session_storage = ServerSessionMemoryCache::new(REMEMBERED_SESSIONS);
    Ok(config)
}

/// As [`resolving_server_config`], where clients may present a certificate, which must then come from this authority; whether
/// one without may do anything is for the server to decide. Sessions are not remembered.
///
/// # Errors
/// When the PEM text holds no certificate.
pub fn resolving_server_config_for_clients(
    resolver: Arc<dyn ResolvesServerCert>,
    client_ca_pem: &str,
) -> Result<ServerConfig, PkiError> {
    resolving(resolver, Some(client_ca_pem))
}

fn resolving(
    resolver: Arc<dyn ResolvesServerCert>,
    client_ca_pem: Option<&str>,
) -> Result<ServerConfig, PkiError> {
    install_provider();
    let builder = match client_ca_pem {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(pem) => ServerConfig::builder().with_client_cert_verifier(client_verifier(pem)?),
    };
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = alpn_protocols();
    Ok(config)
}

pub(crate) fn client_verifier(ca_pem: &str) -> Result<Arc<dyn ClientCertVerifier>, PkiError> {
    WebPkiClientVerifier::builder(Arc::new(roots(ca_pem)?))
        .allow_unauthenticated()
        .build()
        .map_err(|error| PkiError::ClientAuthority(error.to_string()))
}

fn alpn_protocols() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

/// The certificate of `identity` with its key, as servers present it.
///
/// # Errors
/// When the PEM texts are not what they should be, or do not belong together.
pub fn certified_key(identity: &Identity) -> Result<CertifiedKey, PkiError> {
    install_provider();
    let provider = provider();
    CertifiedKey::from_der(chain(identity)?, key(identity)?, &provider).map_err(PkiError::Tls)
}

/// A client that trusts `ca_pem` and nothing else, and presents `identity` where there is one.
///
/// # Errors
/// When the PEM texts are not what they should be, or do not belong together.
pub fn client_config(ca_pem: &str, identity: Option<&Identity>) -> Result<ClientConfig, PkiError> {
    install_provider();
    let builder = ClientConfig::builder().with_root_certificates(roots(ca_pem)?);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => builder
            .with_client_auth_cert(chain(identity)?, key(identity)?)
            .map_err(PkiError::Tls),
    }
}

/// A client of public servers: it trusts whom the machine trusts, or the files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
///
/// # Errors
/// When that is nobody.
pub fn public_client_config() -> Result<ClientConfig, PkiError> {
    install_provider();
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // Stores of machines hold old ones that nobody can read; they are no reason to trust none.
    let (taken, _) = store.add_parsable_certificates(found.certs);
    if taken == 0 {
        let why = found.errors.first();
        return Err(PkiError::NoAuthorities(
            why.map_or_else(String::new, |error| format!(" ({error})")),
        ));
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(store)
        .with_no_client_auth())
}

fn roots(pem: &str) -> Result<RootCertStore, PkiError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem)? {
        store.add(certificate).map_err(PkiError::Tls)?;
    }
    Ok(store)
}

fn chain(identity: &Identity) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    certificates(&identity.certificate_pem)
}

pub(crate) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| PkiError::Pem {
            expected: "certificate",
            found: error.to_string(),
        })?;
    if found.is_empty() {
        return Err(PkiError::Pem {
            expected: "certificate",
            found: "nothing".to_owned(),
        });
    }
    Ok(found)
}

fn key(identity: &Identity) -> Result<PrivateKeyDer<'static>, PkiError> {
    PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(|error| PkiError::Pem {
        expected: "private key",
        found: error.to_string(),
    })
}
