//! Requests for certificates: made for a new key, and what they ask for beside a subject.

use std::str::FromStr as _;

use rcgen::PublicKeyData as _;
use x509_cert::{
    attr::Attributes,
    der::{
        Decode as _, EncodePem as _,
        asn1::{Ia5String, ObjectIdentifier},
        pem::LineEnding,
    },
    ext::{
        Extension, ToExtension as _,
        pkix::{
            SubjectAltName,
            name::{GeneralName, GeneralNames},
        },
    },
    name::Name,
    request::{CertReq, CertReqInfo, ExtensionReq, Version},
    spki::SubjectPublicKeyInfoOwned,
};

use crate::{PkiError, authority::encode, key::KeyKind};

/// Makes a new ECDSA P-256 key and a signing request for it, for a user with its groups:
/// `(key, request)`, both as PEM.
///
/// # Errors
/// When the key cannot be made, or a name holds characters that a certificate cannot carry.
pub fn new_request(common_name: &str, organizations: &[&str]) -> Result<(String, String), PkiError> {
    new_server_request(common_name, organizations, &[])
}

/// The same, for a server that has these DNS names.
///
/// # Errors
/// As [`new_request`].
pub fn new_server_request(
    common_name: &str,
    organizations: &[&str],
    dns_names: &[&str],
) -> Result<(String, String), PkiError> {
    new_key_request(KeyKind::EcdsaP256, common_name, organizations, dns_names)
}

/// The same, with a key of any kind. Making an RSA key takes up to seconds.
///
/// # Errors
/// As [`new_request`].
pub fn new_key_request(
    kind: KeyKind,
    common_name: &str,
    organizations: &[&str],
    dns_names: &[&str],
) -> Result<(String, String), PkiError> {
    let key = kind.generate()?;
    let mut subject = format!("CN={}", escaped(common_name));
    for organization in organizations.iter().rev() {
        // RFC 4514 writes a name back to front.
        subject.push_str(",O=");
        subject.push_str(&escaped(organization));
    }
    let subject = Name::from_str(&subject).map_err(encode)?;
    let mut extensions = Vec::new();
    if !dns_names.is_empty() {
        let names = dns_names
            .iter()
            .map(|name| Ia5String::new(*name).map(GeneralName::DnsName))
            .collect::<Result<GeneralNames, _>>()
            .map_err(encode)?;
        extensions.push(
            SubjectAltName(names)
                .to_extension(&subject, &[])
                .map_err(encode)?,
        );
    }
    let mut attributes = Attributes::new();
    attributes
        .insert(ExtensionReq(extensions).try_into().map_err(encode)?)
        .map_err(encode)?;
    let info = CertReqInfo {
        version: Version::V1,
        subject,
        public_key: SubjectPublicKeyInfoOwned::from_der(&key.subject_public_key_info()).map_err(encode)?,
        attributes,
    };
    let request = kind.sign(info, &key)?;
    Ok((
        key.serialize_pem(),
        request.to_pem(LineEnding::LF).map_err(encode)?,
    ))
}

/// The alternative names that a request asks for (RFC 2986, attribute `extensionRequest`), of the kinds that Kubernetes'
/// signers pass on; others are left out, as they do.
pub(crate) fn alternative_names(request: &CertReq) -> Option<Extension> {
    const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
    const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
    let attribute = request
        .info
        .attributes
        .iter()
        .find(|attribute| attribute.oid == EXTENSION_REQUEST)?;
    let extensions: Vec<Extension> = attribute.values.get(0)?.decode_as().ok()?;
    let asked = extensions
        .into_iter()
        .find(|extension| extension.extn_id == SUBJECT_ALTERNATIVE_NAME)?;
    let SubjectAltName(mut names) = SubjectAltName::from_der(asked.extn_value.as_bytes()).ok()?;
    names.retain(|name| {
        matches!(
            name,
            GeneralName::DnsName(_)
                | GeneralName::IpAddress(_)
                | GeneralName::Rfc822Name(_)
                | GeneralName::UniformResourceIdentifier(_)
        )
    });
    if names.is_empty() {
        return None;
    }
    SubjectAltName(names)
        .to_extension(&request.info.subject, &[])
        .ok()
}

/// RFC 4514 section 2.4.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(
            character,
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' | '#' | ' '
        ) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}
