//! What is encrypted at rest, and the keys for it.
//!
//! AES-256-GCM-SIV: a nonce that should ever repeat gives away only that two values are the same. The object's key and
//! revision are authenticated with the value, so that a ciphertext works in its own place only. Keys lie in a file beside
//! the store, never in it; keys and plaintexts are never logged.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::key::Resource;

/// Kinds whose objects are encrypted on disk and in backups.
const SEALED: &[(&str, &str)] = &[("", "secrets")];
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce, which stands before each ciphertext.
const NONCE_BYTES: usize = 12;
/// The first line of a key file that is not a remark.
const FORMAT: &str = "toolforge-store-key-1";
const REMARK: &str = "\
# Encrypts Secrets in the object store and in backups: without it they cannot be read.
# Keep a copy in a safe place, apart from backups. The first key is in use.
";

/// Whether objects of a resource are encrypted.
pub(crate) fn is_sealed(resource: Resource) -> bool {
    SEALED.contains(&(resource.group, resource.plural))
}

/// Names a key without giving it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyId(pub(crate) [u8; 8]);

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why the keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The operating system's report.
    #[error("cannot {step} the key of the object store, {path}")]
    Io {
        /// What was tried.
        step: &'static str,
        /// The key file.
        path: PathBuf,
        /// The report.
        source: io::Error,
    },
    /// A store is there and its key is not.
    #[error(
        "the key of the object store, {path}, is missing: Secrets cannot be read without it. Put your copy of it back; without one, move the store away and begin anew"
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file holds other keys.
    #[error(
        "{file} was written with key {wanted}, which {path} does not hold: put back the key file that belongs to it"
    )]
    Wrong {
        /// The file that needs the key.
        file: PathBuf,
        /// The key's name.
        wanted: String,
        /// The key file.
        path: PathBuf,
    },
    /// The file is no key file.
    #[error("{path} is no key file of an object store, or is damaged: put your copy of it back")]
    Damaged {
        /// The key file.
        path: PathBuf,
    },
    /// Others can read the key.
    #[error("{path} can be read by others: `chmod 600` it, and consider its key known")]
    Open {
        /// The key file.
        path: PathBuf,
    },
}

/// A value that cannot be decrypted: changed, moved, or of another key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forged;

struct Entry {
    id: KeyId,
    bytes: [u8; KEY_BYTES],
    key: LessSafeKey,
}

/// The keys: the first seals, each opens.
pub(crate) struct Vault {
    keys: Vec<Entry>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("current", &self.current())
            .finish_non_exhaustive()
    }
}

impl Entry {
    fn new(bytes: [u8; KEY_BYTES]) -> Self {
        let sum = digest::digest(
            &digest::SHA256,
            &[b"toolforge-store-key-id".as_slice(), &bytes].concat(),
        );
        let id = KeyId(*sum.as_ref().first_chunk().expect("a SHA-256 has 32 bytes"));
        let key = UnboundKey::new(&AES_256_GCM_SIV, &bytes).expect("the key has the length of the algorithm");
        Self {
            id,
            bytes,
            key: LessSafeKey::new(key),
        }
    }

    fn random() -> Self {
        Self::new(rand::random())
    }
}

impl Vault {
    /// The keys in a file; `None` when it is not there.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(problem) if problem.kind() == io::ErrorKind::InvalidData => {
                return Err(KeyError::Damaged {
                    path: path.to_owned(),
                });
            }
            Err(source) => return Err(failed("read", path)(source)),
        };
        let mode = std::fs::metadata(path)
            .map_err(failed("read", path))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::Open {
                path: path.to_owned(),
            });
        }
        Self::parse(&text).map(Some).ok_or_else(|| KeyError::Damaged {
            path: path.to_owned(),
        })
    }

    /// A new key, in a new file.
    pub(crate) fn create(path: &Path) -> Result<Self, KeyError> {
        let vault = Self {
            keys: vec![Entry::random()],
        };
        vault.write(path)?;
        Ok(vault)
    }

    /// The same keys behind a new one.
    pub(crate) fn with_new_key(self) -> Self {
        let mut keys = vec![Entry::random()];
        keys.extend(self.keys);
        Self { keys }
    }

    /// The current key alone.
    pub(crate) fn without_old_keys(&self) -> Self {
        Self {
            keys: self
                .keys
                .first()
                .map(|entry| Entry::new(entry.bytes))
                .into_iter()
                .collect(),
        }
    }

    /// A vault with one known key.
    #[cfg(test)]
    pub(crate) fn of_key(bytes: [u8; KEY_BYTES]) -> Self {
        Self {
            keys: vec![Entry::new(bytes)],
        }
    }

    /// Writes the keys, for their owner only; a file that was there is replaced at once or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), KeyError> {
        let mut text = format!("{REMARK}{FORMAT}\n");
        for entry in &self.keys {
            text.push_str(&STANDARD.encode(entry.bytes));
            text.push('\n');
        }
        super::whole_file::write(path, text.as_bytes()).map_err(failed("write", path))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        if lines.next()? != FORMAT {
            return None;
        }
        let keys: Option<Vec<Entry>> = lines
            .map(|line| Some(Entry::new(STANDARD.decode(line).ok()?.try_into().ok()?)))
            .collect();
        keys.filter(|keys| !keys.is_empty()).map(|keys| Self { keys })
    }

    /// The key that seals.
    pub(crate) fn current(&self) -> KeyId {
        self.keys[0].id
    }

    /// Whether values sealed with a key can be opened.
    pub(crate) fn holds(&self, id: KeyId) -> bool {
        self.keys.iter().any(|entry| entry.id == id)
    }

    /// Whether there are keys that only open.
    pub(crate) fn has_old_keys(&self) -> bool {
        self.keys.len() > 1
    }

    /// Encrypts a value for its place.
    pub(crate) fn seal(&self, key: &[u8], revision: u64, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let mut sealed = Vec::with_capacity(NONCE_BYTES + plain.len() + AES_256_GCM_SIV.tag_len());
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        self.keys[0]
            .key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                place(key, revision),
                &mut body,
            )
            .expect("values are far smaller than the algorithm's bound");
        sealed.extend_from_slice(&body);
        sealed
    }

    /// Decrypts a value that was sealed with key `id` for this place.
    pub(crate) fn open(
        &self,
        id: KeyId,
        key: &[u8],
        revision: u64,
        sealed: &[u8],
    ) -> Result<Vec<u8>, Forged> {
        let entry = self.keys.iter().find(|entry| entry.id == id).ok_or(Forged)?;
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Forged)?;
        let mut body = body.to_vec();
        let plain = entry
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                place(key, revision),
                &mut body,
            )
            .map_err(|_| Forged)?
            .len();
        body.truncate(plain);
        Ok(body)
    }
}

/// What is authenticated with a value: where it belongs.
fn place(key: &[u8], revision: u64) -> Aad<Vec<u8>> {
    Aad::from([b"toolforge-object-2\0".as_slice(), &revision.to_be_bytes(), key].concat())
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { step, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let vault = Vault::of_key([7; KEY_BYTES]);
        let sealed = vault.seal(b"secrets/a/one", 5, b"plain");
        assert!(!sealed.windows(5).any(|part| part == b"plain"));
        let id = vault.current();
        assert_eq!(vault.open(id, b"secrets/a/one", 5, &sealed).unwrap(), b"plain");
        assert_eq!(vault.open(id, b"secrets/a/two", 5, &sealed), Err(Forged));
        assert_eq!(vault.open(id, b"secrets/a/one", 6, &sealed), Err(Forged));
        assert_eq!(
            Vault::of_key([8; KEY_BYTES]).open(id, b"secrets/a/one", 5, &sealed),
            Err(Forged)
        );
        for byte in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[byte] ^= 1;
            assert_eq!(vault.open(id, b"secrets/a/one", 5, &changed), Err(Forged));
        }
    }

    #[test]
    fn keys_survive_the_disk_and_stay_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.key");
        assert!(Vault::read(&path).unwrap().is_none());
        let first = Vault::create(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let turned = Vault::read(&path).unwrap().unwrap().with_new_key();
        turned.write(&path).unwrap();
        let again = Vault::read(&path).unwrap().unwrap();
        assert_eq!(again.current(), turned.current());
        assert!(again.holds(first.current()) && again.has_old_keys());
        assert!(!again.without_old_keys().holds(first.current()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Vault::read(&path), Err(KeyError::Open { .. })));
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        for text in [
            "",
            FORMAT,
            "toolforge-store-key-1\nAAAA\n",
            "toolforge-store-key-9\n",
            "-----BEGIN",
        ] {
            assert!(Vault::parse(text).is_none(), "{text:?}");
        }
    }
}
