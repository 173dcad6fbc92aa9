//! A certificate authority of the platform's own: made once, kept in two files, signing for others.

use std::{
    fmt,
    path::Path,
    time::{Duration, SystemTime},
};

use p256::{
    ecdsa::{DerSignature, SigningKey},
    pkcs8::DecodePrivateKey as _,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use x509_cert::{
    Certificate,
    builder::{Builder as _, CertificateBuilder, profile::BuilderProfile},
    certificate::TbsCertificate,
    der::{Decode as _, DecodePem as _, EncodePem as _, asn1::ObjectIdentifier, pem::LineEnding},
    ext::{
        Extension, ToExtension as _,
        pkix::{
            AuthorityKeyIdentifier, BasicConstraints as Constraints, ExtendedKeyUsage, KeyUsage, KeyUsages,
        },
    },
    name::Name,
    request::CertReq,
    serial_number::SerialNumber,
    spki::SubjectPublicKeyInfoRef,
    time::{Time, Validity},
};

use crate::{
    Identity, PkiError, files,
    read::{parse_request, request_der},
    request::{alternative_names, new_request},
};

/// An authority lives ten years: longer than any machine that it was made on.
const AUTHORITY_LIFETIME: time::Duration = time::Duration::days(3653);
/// Certificates of the platform's own parts live a year; they are made anew at each start.
const ISSUED_LIFETIME: Duration = Duration::from_hours(365 * 24);
/// Certificates begin this long before now, for peers whose clocks are late.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Presented by a client.
    Client,
    /// Presented by a server.
    Server,
}

/// What a certificate may be used for, to the letter: its purpose, and what its key may do (RFC 5280 section 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usages {
    /// Who presents it.
    pub purpose: Usage,
    /// Whether the key signs handshakes.
    pub digital_signature: bool,
    /// Whether the key carries other keys (RSA key exchange).
    pub key_encipherment: bool,
}

impl From<Usage> for Usages {
    /// The purpose, with all that a key may do for it.
    fn from(purpose: Usage) -> Self {
        Self {
            purpose,
            digital_signature: true,
            key_encipherment: true,
        }
    }
}

/// A certificate authority with its ECDSA P-256 key.
pub struct Authority {
    certificate_pem: String,
    key_pem: String,
    signer: SigningKey,
    subject: Name,
    not_after: SystemTime,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("subject", &self.subject.to_string())
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new authority that lives ten years.
    ///
    /// # Errors
    /// When the machine cannot make a key.
    pub fn create(common_name: &str) -> Result<Self, PkiError> {
        let key = KeyPair::generate().map_err(PkiError::Key)?;
        let mut parameters = parameters(common_name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.not_after = time::OffsetDateTime::now_utc() + AUTHORITY_LIFETIME;
        let certificate = parameters.self_signed(&key).map_err(|source| PkiError::Issue {
            subject: common_name.to_owned(),
            source,
        })?;
        Self::from_pem(certificate.pem(), key.serialize_pem())
    }

    /// Reads the authority from `folder/name.crt` and `folder/name.key`, or makes it and writes them
    /// (the key 0600). The folder must be there.
    ///
    /// # Errors
    /// When a file cannot be read or written, or does not hold what it should.
    pub fn load_or_create(folder: &Path, name: &str, common_name: &str) -> Result<Self, PkiError> {
        let certificate_path = folder.join(format!("{name}.crt"));
        let key_path = folder.join(format!("{name}.key"));
        if let (Some(certificate), Some(key)) = (files::read(&certificate_path)?, files::read(&key_path)?) {
            return Self::from_pem(certificate, key);
        }
        let authority = Self::create(common_name)?;
        files::write_private(&key_path, authority.key_pem.as_bytes())?;
        files::write_public(&certificate_path, authority.certificate_pem.as_bytes())?;
        Ok(authority)
    }

    /// The authority's own certificate: what others need to trust it.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A certificate for a server with these names: DNS names, wildcards included, and addresses. One year.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn issue_server(&self, names: &[&str]) -> Result<Identity, PkiError> {
        let subject = names.first().copied().unwrap_or("server");
        let issue = |source| PkiError::Issue {
            subject: subject.to_owned(),
            source,
        };
        let key = KeyPair::generate().map_err(PkiError::Key)?;
        let mut parameters =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())
                .map_err(issue)?;
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, subject);
        parameters.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let now = time::OffsetDateTime::now_utc();
        parameters.not_before = now - CLOCK_SKEW;
        parameters.not_after = now + ISSUED_LIFETIME;
        let own_key = KeyPair::from_pem(&self.key_pem).map_err(PkiError::Key)?;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate_pem, own_key).map_err(issue)?;
        let certificate = parameters.signed_by(&key, &issuer).map_err(issue)?;
        Ok(Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// A certificate for a client: a user and the groups it belongs to, as Kubernetes reads them. One year.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn issue_client(&self, common_name: &str, organizations: &[&str]) -> Result<Identity, PkiError> {
        let (key_pem, request) = new_request(common_name, organizations)?;
        let certificate_pem = self.sign_request(&request, ISSUED_LIFETIME, Usage::Client)?;
        Ok(Identity {
            certificate_pem,
            key_pem,
        })
    }

    /// Signs a certificate request, keeping its subject to the letter (rcgen would drop all but the last
    /// of several O, which are a user's groups) and, for servers, its alternative names: DNS names, addresses, emails
    /// and URIs. It does not outlive the authority. Whether the subject is one that may be signed is for the
    /// caller to decide.
    ///
    /// # Errors
    /// When the text is no request, or is not signed by the key that it carries.
    pub fn sign_request(
        &self,
        request_pem: &str,
        lifetime: Duration,
        usages: impl Into<Usages>,
    ) -> Result<String, PkiError> {
        let der = request_der(request_pem)?;
        parse_request(&der)?;
        let request = CertReq::from_der(&der).map_err(encode)?;
        let profile = Issued {
            issuer: self.subject.clone(),
            subject: request.info.subject.clone(),
            usages: usages.into(),
            alternative_names: alternative_names(&request),
        };
        let now = SystemTime::now();
        let validity = Validity::new(
            Time::try_from(now - CLOCK_SKEW).map_err(encode)?,
            Time::try_from((now + lifetime).min(self.not_after)).map_err(encode)?,
        );
        let serial = SerialNumber::new(&serial_bytes()).map_err(encode)?;
        let certificate = CertificateBuilder::new(profile, serial, validity, request.info.public_key)
            .and_then(|builder| builder.build::<_, DerSignature>(&self.signer))
            .map_err(encode)?;
        certificate.to_pem(LineEnding::LF).map_err(encode)
    }

    fn from_pem(certificate_pem: String, key_pem: String) -> Result<Self, PkiError> {
        let signer = signing_key(&key_pem)?;
        let certificate = Certificate::from_pem(&certificate_pem).map_err(|error| PkiError::Pem {
            expected: "certificate",
            found: error.to_string(),
        })?;
        let authority = certificate.tbs_certificate();
        let subject = authority.subject().clone();
        Ok(Self {
            not_after: authority.validity().not_after.to_system_time(),
            certificate_pem,
            key_pem,
            signer,
            subject,
        })
    }
}

struct Issued {
    issuer: Name,
    subject: Name,
    usages: Usages,
    alternative_names: Option<Extension>,
}

impl BuilderProfile for Issued {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _key: SubjectPublicKeyInfoRef<'_>,
        issuer_key: SubjectPublicKeyInfoRef<'_>,
        certificate: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let subject = certificate.subject();
        let mut extensions: Vec<Extension> = Vec::new();
        let purpose = match self.usages.purpose {
            Usage::Client => CLIENT_AUTH,
            Usage::Server => SERVER_AUTH,
        };
        if let Some(usages) = key_usage(self.usages) {
            extensions.push(usages.to_extension(subject, &extensions)?);
        }
        extensions.push(ExtendedKeyUsage(vec![purpose]).to_extension(subject, &extensions)?);
        let leaf = Constraints {
            ca: false,
            path_len_constraint: None,
        };
        extensions.push(leaf.to_extension(subject, &extensions)?);
        let authority = AuthorityKeyIdentifier::try_from(issuer_key)?;
        extensions.push(authority.to_extension(subject, &extensions)?);
        if self.usages.purpose == Usage::Server {
            extensions.extend(self.alternative_names.clone());
        }
        Ok(extensions)
    }
}

/// Without any use the extension is left out, and says nothing.
fn key_usage(usages: Usages) -> Option<KeyUsage> {
    match (usages.digital_signature, usages.key_encipherment) {
        (true, true) => Some(KeyUsage(KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment)),
        (true, false) => Some(KeyUsage(KeyUsages::DigitalSignature.into())),
        (false, true) => Some(KeyUsage(KeyUsages::KeyEncipherment.into())),
        (false, false) => None,
    }
}

fn parameters(common_name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, common_name);
    parameters.not_before = time::OffsetDateTime::now_utc() - CLOCK_SKEW;
    parameters
}

pub(crate) fn signing_key(key_pem: &str) -> Result<SigningKey, PkiError> {
    SigningKey::from_pkcs8_pem(key_pem).map_err(|error| PkiError::Pem {
        expected: "private key",
        found: error.to_string(),
    })
}

/// 127 random bits: RFC 5280 section 4.1.2.2 wants a positive number of at most 20 bytes.
fn serial_bytes() -> [u8; 16] {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] &= 0x7f;
    bytes[0] |= 0x01;
    bytes
}

pub(crate) fn encode(error: impl fmt::Display) -> PkiError {
    PkiError::Encode(error.to_string())
}
