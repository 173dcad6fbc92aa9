//! A certificate that a server is to present, checked before anybody is shown it.

use std::{sync::Arc, time::SystemTime};

use rustls::{Error, InconsistentKeys, sign::CertifiedKey};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{
    Identity, PkiError, install_provider, read_certificate_der,
    tls::{certificates, provider},
};

/// A chain with its key, and the names that it is for.
#[derive(Clone, Debug)]
pub struct ServerCertificate {
    certified: Arc<CertifiedKey>,
    dns_names: Vec<String>,
    not_after: SystemTime,
}

/// Why a certificate cannot be presented. Nothing of a key is ever told.
#[derive(Debug, thiserror::Error)]
pub enum ServerCertificateError {
    /// There is no certificate in the text, or it is broken.
    #[error(
        "it holds no certificate in PEM that can be read; write the certificate, then those it stands on"
    )]
    Certificate(#[source] PkiError),
    /// There is no key in the text, or it is broken.
    #[error("it holds no private key in PEM that can be read; write one, without a password")]
    Key,
    /// The key is of a kind that cannot be used.
    #[error(
        "keys of this kind or size cannot be used; make one of ECDSA P-256, Ed25519, or RSA of 2048 bits"
    )]
    KeyKind,
    /// The key is another's.
    #[error("this key is not that of the certificate; put both in place together")]
    OtherKey,
    /// The certificate is for no name.
    #[error("the certificate names no host; have one issued with the host among its DNS alternative names")]
    NoName,
}

impl ServerCertificateError {
    /// Whether the certificate is to blame, and not its key.
    pub fn is_of_certificate(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::NoName)
    }
}

impl ServerCertificate {
    /// Reads a certificate and its key, and checks that they belong together.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn read(identity: &Identity) -> Result<Self, ServerCertificateError> {
        use ServerCertificateError as Problem;
        let chain = certificates(&identity.certificate_pem).map_err(Problem::Certificate)?;
        let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
        let certified = read_certificate_der(first).map_err(Problem::Certificate)?;
        let dns_names = dns_names(first);
        // What the parser of keys says may hold a part of the key.
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(|_| Problem::Key)?;
        install_provider();
        let key = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|_| Problem::KeyKind)?;
        let certified_key = CertifiedKey::new(chain, key);
        match certified_key.keys_match() {
            Ok(()) => {}
            Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => return Err(Problem::KeyKind),
            Err(Error::InconsistentKeys(_)) => return Err(Problem::OtherKey),
            Err(error) => return Err(Problem::Certificate(PkiError::Tls(error))),
        }
        Ok(Self {
            certified: Arc::new(certified_key),
            dns_names,
            not_after: certified.not_after,
        })
    }

    /// The same, where it is for a host at all.
    ///
    /// # Errors
    /// When it names none.
    pub fn with_names(self) -> Result<Self, ServerCertificateError> {
        if self.dns_names.is_empty() {
            return Err(ServerCertificateError::NoName);
        }
        Ok(self)
    }

    /// What is presented.
    pub fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// The DNS names that it is for, in lower case; `*.` before a name stands for one label.
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// The last moment of its validity.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Whether it is for this host, which is in lower case: RFC 9525 section 6.3.
    pub fn covers(&self, host: &str) -> bool {
        let parent = host
            .split_once('.')
            .filter(|(label, _)| !label.is_empty())
            .map(|(_, parent)| parent);
        self.dns_names.iter().any(|name| match name.strip_prefix("*.") {
            Some(rest) => parent == Some(rest),
            None => name == host,
        })
    }
}

impl PartialEq for ServerCertificate {
    /// A certificate belongs to one key.
    fn eq(&self, other: &Self) -> bool {
        self.certified.cert == other.certified.cert
    }
}

impl Eq for ServerCertificate {}

fn dns_names(der: &[u8]) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Vec::new();
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.trim_end_matches('.').to_ascii_lowercase()),
        _ => None,
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{ServerCertificate, ServerCertificateError};
    use crate::{Authority, Identity};

    fn issued(names: &[&str]) -> Identity {
        Authority::create("test").unwrap().issue_server(names).unwrap()
    }

    #[test]
    fn a_certificate_is_for_its_names_and_one_label_below_its_wildcards() {
        let read = ServerCertificate::read(&issued(&["Example.org", "*.example.org", "192.0.2.1"])).unwrap();
        assert_eq!(read.dns_names(), ["example.org", "*.example.org"]);
        for (host, is_covered) in [
            ("example.org", true),
            ("a.example.org", true),
            ("a.b.example.org", false),
            ("*.example.org", true),
            ("aexample.org", false),
            (".example.org", false),
            ("org", false),
            ("192.0.2.1", false),
            ("", false),
        ] {
            assert_eq!(read.covers(host), is_covered, "{host}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_nothing_of_the_key() {
        let (one, other) = (issued(&["a.example.org"]), issued(&["b.example.org"]));
        let with = |certificate: &str, key: &str| {
            let read = ServerCertificate::read(&Identity {
                certificate_pem: certificate.to_owned(),
                key_pem: key.to_owned(),
            });
            read.and_then(ServerCertificate::with_names).unwrap_err()
        };
        let (certificate, key) = (&one.certificate_pem, &one.key_pem);
        // A key in one line is what the parser would show whole.
        let one_line = key.replace('\n', "");
        let problems = [
            with("", key),
            with(key, key),
            with(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                key,
            ),
            with(certificate, ""),
            with(certificate, &one_line),
            with(certificate, certificate),
            with(certificate, &other.key_pem),
        ];
        let of_certificate = [true, true, true, false, false, false, false];
        for (problem, of_certificate) in problems.iter().zip(of_certificate) {
            assert_eq!(problem.is_of_certificate(), of_certificate, "{problem:?}");
            assert!(!format!("{problem:?} {problem}").contains("MIG"), "{problem:?}");
        }
        assert!(matches!(problems[6], ServerCertificateError::OtherKey));
        let nameless = issued(&["192.0.2.1"]);
        let nameless = with(&nameless.certificate_pem, &nameless.key_pem);
        assert!(matches!(nameless, ServerCertificateError::NoName));
    }
}
