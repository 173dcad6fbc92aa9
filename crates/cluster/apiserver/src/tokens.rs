//! Tokens of service accounts: the API's own key, what is signed with it, and who stands behind a token.
//!
//! Called by authentication, by the subresource `token`, by `TokenReview` and by discovery. Signatures are made and
//! checked here; whether the account, Pod or Secret of a token still exists is asked of the store each time, so that a
//! token ends with what it is bound to. A token is never logged and never stored, but for Secrets made to hold one.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/>.

mod claims;
mod discovery;
mod issue;
mod owner;
mod review;
mod secrets;
mod signed;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use toolforge_pki::{PkiError, SigningKey};

pub(crate) use claims::Claims;
pub(crate) use issue::answer as issue;
pub(crate) use review::answer as review;
pub(crate) use secrets::keep as keep_secrets;

/// The file of the key, in the folder of keys.
const KEY_FILE: &str = "service-account.key";
/// The issuer of tokens: the API's name inside a cluster, as kubeadm has it.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// Tokens whose signature is remembered as good. Checking one again costs a tenth of a millisecond, no more.
const REMEMBERED: usize = 1024;

/// The signer of tokens, and the judge of those that come back.
pub(crate) struct Tokens {
    key: SigningKey,
    /// The key's name in tokens and in the set of keys.
    key_id: String,
    /// Where the API is reached, for the discovery document.
    advertise: String,
    /// The certificate of the authority of the API, for Secrets with tokens.
    root_certificate: String,
    /// By SHA-256 of the token.
    good: Mutex<HashMap<Vec<u8>, Arc<Claims>>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads the key from `folder`, or makes it there; the folder is made when it is not there.
    pub(crate) fn open(folder: &Path, advertise: &str, root_certificate: &str) -> Result<Self, PkiError> {
        let path = folder.join(KEY_FILE);
        std::fs::create_dir_all(folder).map_err(|source| PkiError::File {
            path: folder.to_owned(),
            action: "made",
            source,
        })?;
        let key = SigningKey::load_or_create(&path)?;
        Ok(Self {
            key_id: signed::base64(&key.fingerprint()?),
            key,
            advertise: advertise.trim_end_matches('/').to_owned(),
            root_certificate: root_certificate.to_owned(),
            good: Mutex::default(),
        })
    }

    /// For whom tokens are meant when nobody says otherwise: this API.
    pub(crate) fn audiences() -> Vec<String> {
        vec![ISSUER.to_owned()]
    }
}
