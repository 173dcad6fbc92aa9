//! What a certificate or a request says of its owner.

use std::time::{Duration, SystemTime};

use x509_parser::{
    certificate::X509CertificateParser,
    certification_request::X509CertificationRequest,
    nom::Parser as _,
    pem::Pem,
    prelude::{FromDer as _, X509Name},
};

use crate::PkiError;

/// Who a certificate was issued to, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// CN: to Kubernetes, the user.
    pub common_name: String,
    /// Every O, in order: to Kubernetes, the groups.
    pub organizations: Vec<String>,
    /// First moment of validity.
    pub not_before: SystemTime,
    /// Last moment of validity.
    pub not_after: SystemTime,
}

/// Who a signing request asks a certificate for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// CN: to Kubernetes, the user.
    pub common_name: String,
    /// Every O, in order: to Kubernetes, the groups.
    pub organizations: Vec<String>,
    /// The DNS names asked for.
    pub dns_names: Vec<String>,
    /// The addresses asked for.
    pub addresses: Vec<std::net::IpAddr>,
    /// The email addresses asked for.
    pub emails: Vec<String>,
    /// The URIs asked for.
    pub uris: Vec<String>,
}

/// Reads the first certificate of a PEM text.
///
/// # Errors
/// When there is none, or it is not a certificate.
pub fn read_certificate_pem(pem: &str) -> Result<Certified, PkiError> {
    read_certificate_der(&pem_contents(pem, "certificate", &["CERTIFICATE"])?)
}

/// Reads a certificate in DER, as TLS peers present it.
///
/// # Errors
/// When it is not a certificate.
pub fn read_certificate_der(der: &[u8]) -> Result<Certified, PkiError> {
    // Nothing here asks what its extensions say.
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    let (_, certificate) = parser.parse(der).map_err(|error| PkiError::Pem {
        expected: "certificate",
        found: error.to_string(),
    })?;
    let (common_name, organizations) = subject(certificate.subject());
    Ok(Certified {
        common_name,
        organizations,
        not_before: moment(certificate.validity().not_before.timestamp()),
        not_after: moment(certificate.validity().not_after.timestamp()),
    })
}

/// Reads a PEM certificate signing request and verifies that its own key signed it.
///
/// # Errors
/// When it is not a request, or its signature is wrong.
pub fn read_request_pem(pem: &str) -> Result<Requested, PkiError> {
    let der = request_der(pem)?;
    let request = parse_request(&der)?;
    let (common_name, organizations) = subject(&request.certification_request_info.subject);
    let mut requested = Requested {
        common_name,
        organizations,
        dns_names: Vec::new(),
        addresses: Vec::new(),
        emails: Vec::new(),
        uris: Vec::new(),
    };
    for extension in request.requested_extensions().into_iter().flatten() {
        if let x509_parser::extensions::ParsedExtension::SubjectAlternativeName(names) = extension {
            for name in &names.general_names {
                add_name(&mut requested, name);
            }
        }
    }
    Ok(requested)
}

/// The DER inside a PEM request.
pub(crate) fn request_der(pem: &str) -> Result<Vec<u8>, PkiError> {
    pem_contents(
        pem,
        "certificate request",
        &["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"],
    )
}

/// Parses a request and verifies its signature.
pub(crate) fn parse_request(der: &[u8]) -> Result<X509CertificationRequest<'_>, PkiError> {
    let (_, request) = X509CertificationRequest::from_der(der).map_err(|error| PkiError::Pem {
        expected: "certificate request",
        found: error.to_string(),
    })?;
    request
        .verify_signature()
        .map_err(|_| PkiError::RequestSignature)?;
    Ok(request)
}

fn add_name(requested: &mut Requested, name: &x509_parser::extensions::GeneralName<'_>) {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(name) => requested.dns_names.push((*name).to_owned()),
        GeneralName::RFC822Name(email) => requested.emails.push((*email).to_owned()),
        GeneralName::URI(uri) => requested.uris.push((*uri).to_owned()),
        GeneralName::IPAddress(bytes) => {
            if let Ok(octets) = <[u8; 4]>::try_from(*bytes) {
                requested.addresses.push(octets.into());
            } else if let Ok(octets) = <[u8; 16]>::try_from(*bytes) {
                requested.addresses.push(octets.into());
            }
        }
        _ => {}
    }
}

fn pem_contents(pem: &str, expected: &'static str, labels: &[&str]) -> Result<Vec<u8>, PkiError> {
    for block in Pem::iter_from_buffer(pem.as_bytes()) {
        let block = block.map_err(|error| PkiError::Pem {
            expected,
            found: error.to_string(),
        })?;
        if labels.contains(&block.label.as_str()) {
            return Ok(block.contents);
        }
    }
    Err(PkiError::Pem {
        expected,
        found: format!("no block labelled {}", labels.join(" or ")),
    })
}

fn subject(name: &X509Name<'_>) -> (String, Vec<String>) {
    let texts = |values: Vec<&x509_parser::x509::AttributeTypeAndValue<'_>>| -> Vec<String> {
        values
            .iter()
            .filter_map(|value| value.as_str().ok().map(ToOwned::to_owned))
            .collect()
    };
    let common_name = texts(name.iter_common_name().collect()).pop().unwrap_or_default();
    (common_name, texts(name.iter_organization().collect()))
}

fn moment(unix_seconds: i64) -> SystemTime {
    u64::try_from(unix_seconds).map_or(SystemTime::UNIX_EPOCH, |seconds| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    })
}
