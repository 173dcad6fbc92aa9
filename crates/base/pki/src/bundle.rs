//! Several authorities in one PEM text, and whether a server's certificate is one of theirs.

use std::time::SystemTime;

use rustls::{
    RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    server::ParsedCertificate,
};
use rustls_pki_types::{ServerName, UnixTime};
use x509_cert::der::{Decode as _, EncodePem as _, pem::LineEnding};

use crate::{PkiError, tls::certificates};

/// The certificates of a PEM text, in DER and in order.
///
/// # Errors
/// When there is none, or a block is broken.
pub fn read_bundle(pem: &str) -> Result<Vec<Vec<u8>>, PkiError> {
    let found = certificates(pem)?;
    Ok(found.iter().map(|certificate| certificate.to_vec()).collect())
}

/// These certificates as PEM, one after the other, always in the same form; what is none is left out.
pub fn write_bundle<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> String {
    certificates
        .into_iter()
        .filter_map(|der| {
            x509_cert::Certificate::from_der(der)
                .ok()?
                .to_pem(LineEnding::LF)
                .ok()
        })
        .collect()
}

/// Checks as a client would that connects to `dns_name` at `now` and trusts these authorities: the chain, the time, the name.
///
/// # Errors
/// What the client would say.
pub fn check_server(
    chain_pem: &str,
    authorities_pem: &str,
    dns_name: &str,
    now: SystemTime,
) -> Result<(), PkiError> {
    let chain = certificates(chain_pem)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(authorities_pem)?);
    let (first, intermediates) = chain.split_first().ok_or_else(|| PkiError::Pem {
        expected: "certificate",
        found: "nothing".to_owned(),
    })?;
    let first = ParsedCertificate::try_from(first).map_err(PkiError::Untrusted)?;
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    verify_server_cert_signed_by_trust_anchor(
        &first,
        &roots,
        intermediates,
        UnixTime::since_unix_epoch(since),
        algorithms.all,
    )
    .map_err(PkiError::Untrusted)?;
    let name = ServerName::try_from(dns_name)
        .map_err(|error| PkiError::Untrusted(rustls::Error::General(error.to_string())))?;
    verify_server_name(&first, &name).map_err(PkiError::Untrusted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authority, PkiError};
    use std::time::Duration;

    #[test]
    fn a_bundle_is_read_as_it_was_written() {
        let (old, new) = (
            Authority::create("old").unwrap(),
            Authority::create("new").unwrap(),
        );
        let text = format!(
            "a comment\n{}\n\n{}",
            old.certificate_pem(),
            new.certificate_pem()
        );
        let read = read_bundle(&text).unwrap();
        assert_eq!(read.len(), 2);
        let written = write_bundle(read.iter().map(Vec::as_slice));
        assert_eq!(read_bundle(&written).unwrap(), read);
        assert_eq!(write_bundle([&b"nothing"[..]]), "");
        assert!(read_bundle("nothing").is_err());
    }

    #[test]
    fn a_server_is_known_by_its_authority_name_and_time() {
        let (old, new) = (
            Authority::create("old").unwrap(),
            Authority::create("new").unwrap(),
        );
        let both = format!("{}{}", old.certificate_pem(), new.certificate_pem());
        let certificate = new.issue_server(&["a.b.svc"]).unwrap().certificate_pem;
        let now = SystemTime::now();
        let check = |authorities: &str, name, now| check_server(&certificate, authorities, name, now);
        check(&both, "a.b.svc", now).unwrap();
        for wrong in [
            check(old.certificate_pem(), "a.b.svc", now),
            check(&both, "b.b.svc", now),
            check(&both, "a.b.svc", now + Duration::from_hours(24 * 366)),
        ] {
            assert!(matches!(wrong, Err(PkiError::Untrusted(_))), "{wrong:?}");
        }
    }
}
