//! A key that signs what is no certificate: the tokens of service accounts. ECDSA P-256 with SHA-256, `ES256` in JOSE.
//!
//! The built-in API keeps one in its data folder. What is signed, and what a signature is worth, is the caller's.

use std::{fmt, path::Path};

use aws_lc_rs::{
    digest,
    encoding::AsDer as _,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    },
};
use rcgen::KeyPair;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};

use crate::{PkiError, files};

/// Bytes of each coordinate of a point on the curve.
const COORDINATE_BYTES: usize = 32;

/// A private key that signs, and its public half that anybody may know.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads the key from `path` (PKCS#8 in PEM), or makes one and writes it there (0600). The folder must be there.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds no such key.
    pub fn load_or_create(path: &Path) -> Result<Self, PkiError> {
        if let Some(pem) = files::read(path)? {
            return Self::from_pem(&pem);
        }
        let pem = KeyPair::generate().map_err(PkiError::Key)?.serialize_pem();
        files::write_private(path, pem.as_bytes())?;
        Self::from_pem(&pem)
    }

    fn from_pem(pem: &str) -> Result<Self, PkiError> {
        let wrong = |found: String| PkiError::Pem {
            expected: "ECDSA P-256 private key",
            found,
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|problem| wrong(problem.to_string()))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der())
            .map_err(|problem| wrong(problem.to_string()))?;
        Ok(Self {
            pair,
            random: SystemRandom::new(),
        })
    }

    /// A signature of `message`: the two numbers side by side, 64 bytes.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PkiError> {
        let signature = self.pair.sign(&self.random, message);
        let signature = signature.map_err(|problem| PkiError::Encode(problem.to_string()))?;
        Ok(signature.as_ref().to_vec())
    }

    /// Whether this key made the signature of this message.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref())
            .verify(message, signature)
            .is_ok()
    }

    /// The two coordinates of the public key, big-endian.
    pub fn public_coordinates(&self) -> (&[u8], &[u8]) {
        // Uncompressed, as SEC 1 has it: a leading 4, then both coordinates.
        let point = self.pair.public_key().as_ref().get(1..).unwrap_or_default();
        point.split_at(point.len().min(COORDINATE_BYTES))
    }

    /// SHA-256 of the public key in DER, by which Kubernetes names keys.
    ///
    /// # Errors
    /// When the key cannot be encoded.
    pub fn fingerprint(&self) -> Result<Vec<u8>, PkiError> {
        let der = self
            .pair
            .public_key()
            .as_der()
            .map_err(|problem| PkiError::Encode(problem.to_string()))?;
        Ok(sha256(der.as_ref()))
    }
}

/// SHA-256 of some bytes, by the one provider.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_survives_the_disk_and_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sa.key");
        let first = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let second = SigningKey::load_or_create(&path).unwrap();
        let signature = first.sign(b"words").unwrap();
        assert_eq!(signature.len(), 64);
        assert!(second.has_signed(b"words", &signature));
        assert!(!second.has_signed(b"other words", &signature));
        assert_eq!(first.fingerprint().unwrap(), second.fingerprint().unwrap());
        let (x, y) = first.public_coordinates();
        assert_eq!((x.len(), y.len()), (32, 32));
    }

    #[test]
    fn another_key_has_signed_nothing_and_nonsense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let one = SigningKey::load_or_create(&folder.path().join("one")).unwrap();
        let two = SigningKey::load_or_create(&folder.path().join("two")).unwrap();
        assert!(!two.has_signed(b"words", &one.sign(b"words").unwrap()));
        assert!(!two.has_signed(b"words", b""));
        let path = folder.path().join("three");
        std::fs::write(&path, "no key").unwrap();
        assert!(SigningKey::load_or_create(&path).is_err());
    }
}
