//! Kinds of private keys for requests: made, and used to sign the request that names their public half.

use std::{fmt, str::FromStr};

use rcgen::{KeyPair, RsaKeySize, SigningKey as _};
use x509_cert::{
    der::{
        Encode as _,
        asn1::{Any, BitString, ObjectIdentifier},
    },
    request::{CertReq, CertReqInfo},
    spki::AlgorithmIdentifierOwned,
};

use crate::{PkiError, authority::encode};

/// A kind of private key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on the curve P-256: small, and made in microseconds.
    #[default]
    EcdsaP256,
    /// ECDSA on the curve P-384.
    EcdsaP384,
    /// RSA of 2048 bits, for clients that know nothing else. Made in a tenth of a second.
    Rsa2048,
    /// RSA of 4096 bits. Made in about a second.
    Rsa4096,
}

/// No kind of key is called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a kind of key; there are ecdsa-p256, ecdsa-p384, rsa-2048 and rsa-4096")]
pub struct UnknownKeyKind(String);

impl KeyKind {
    const ALL: [Self; 4] = [Self::EcdsaP256, Self::EcdsaP384, Self::Rsa2048, Self::Rsa4096];

    fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa4096 => "rsa-4096",
        }
    }

    pub(crate) fn generate(self) -> Result<KeyPair, PkiError> {
        match self {
            Self::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
            Self::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
        }
        .map_err(PkiError::Key)
    }

    /// How its signatures are called: RFC 5758 section 3.2, RFC 4055 section 5.
    fn signature(self) -> AlgorithmIdentifierOwned {
        let (oid, parameters) = match self {
            Self::EcdsaP256 => ("1.2.840.10045.4.3.2", None),
            Self::EcdsaP384 => ("1.2.840.10045.4.3.3", None),
            Self::Rsa2048 | Self::Rsa4096 => ("1.2.840.113549.1.1.11", Some(Any::null())),
        };
        AlgorithmIdentifierOwned {
            oid: ObjectIdentifier::new_unwrap(oid),
            parameters,
        }
    }

    /// Signs what is asked for.
    pub(crate) fn sign(self, info: CertReqInfo, key: &KeyPair) -> Result<CertReq, PkiError> {
        let signature = key.sign(&info.to_der().map_err(encode)?).map_err(PkiError::Key)?;
        Ok(CertReq {
            info,
            algorithm: self.signature(),
            signature: BitString::from_bytes(&signature).map_err(encode)?,
        })
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyKind {
    type Err = UnknownKeyKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| UnknownKeyKind(text.to_owned()))
    }
}
