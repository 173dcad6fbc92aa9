//! Records: one object or one change, as it lies in a frame.
//!
//! Pure. The value is the object's JSON, or for kinds that are sealed its ciphertext.

use super::super::event::Effect;
use super::vault::Vault;

/// Bytes of a record before its key.
const FIXED_BYTES: usize = 1 + 1 + 8 + 2 + 4;

const PUT: u8 = b'P';
const CREATED: u8 = b'C';
const REMOVED: u8 = b'R';
const PLAIN: u8 = 0;
const SEALED: u8 = 1;

/// A record as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) effect: Effect,
    /// Whether the change created its object.
    pub(crate) created: bool,
    pub(crate) sealed: bool,
    pub(crate) revision: u64,
    /// The object's key, encoded.
    pub(crate) key: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) effect: Effect,
    pub(crate) created: bool,
    pub(crate) revision: u64,
    pub(crate) key: &'a [u8],
    pub(crate) json: &'a [u8],
}

impl Draft<'_> {
    /// Appends the record, sealed when `sealed` says so.
    pub(crate) fn encode(&self, sealed: bool, vault: &Vault, bytes: &mut Vec<u8>) {
        let ciphertext = sealed.then(|| vault.seal(self.key, self.revision, self.json));
        let body = ciphertext.as_deref().unwrap_or(self.json);
        bytes.push(match (self.effect, self.created) {
            (Effect::Put, false) => PUT,
            (Effect::Put, true) => CREATED,
            (Effect::Removed, _) => REMOVED,
        });
        bytes.push(if sealed { SEALED } else { PLAIN });
        bytes.extend_from_slice(&self.revision.to_be_bytes());
        let key_length = u16::try_from(self.key.len()).expect("names are checked to be short");
        bytes.extend_from_slice(&key_length.to_be_bytes());
        let length = u32::try_from(body.len()).expect("requests are bounded to megabytes");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(self.key);
        bytes.extend_from_slice(body);
    }
}

impl<'a> Record<'a> {
    /// Takes one record off the front of a payload; `None` when there is none.
    pub(crate) fn take(payload: &mut &'a [u8]) -> Option<Self> {
        let (fixed, rest) = payload.split_first_chunk::<FIXED_BYTES>()?;
        let (effect, created) = match fixed[0] {
            PUT => (Effect::Put, false),
            CREATED => (Effect::Put, true),
            REMOVED => (Effect::Removed, false),
            _ => return None,
        };
        let sealed = match fixed[1] {
            PLAIN => false,
            SEALED => true,
            _ => return None,
        };
        let revision = u64::from_be_bytes(*fixed[2..].first_chunk()?);
        let key_length = u16::from_be_bytes(*fixed[10..].first_chunk()?);
        let length = u32::from_be_bytes(*fixed[12..].first_chunk()?);
        let (key, rest) = rest.split_at_checked(usize::from(key_length))?;
        let (body, rest) = rest.split_at_checked(length as usize)?;
        *payload = rest;
        Some(Self {
            effect,
            created,
            sealed,
            revision,
            key,
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_come_back(key in prop::collection::vec(any::<u8>(), 0..40), json in prop::collection::vec(any::<u8>(), 0..200), revision: u64, created: bool) {
            let vault = Vault::of_key([1; 32]);
            let mut bytes = Vec::new();
            let draft = Draft { effect: Effect::Put, created, revision, key: &key, json: &json };
            draft.encode(false, &vault, &mut bytes);
            draft.encode(true, &vault, &mut bytes);
            let mut payload = bytes.as_slice();
            let plain = Record::take(&mut payload).unwrap();
            prop_assert_eq!((plain.created, plain.revision, plain.key, plain.body), (created, revision, key.as_slice(), json.as_slice()));
            let sealed = Record::take(&mut payload).unwrap();
            prop_assert!(sealed.sealed && payload.is_empty());
            prop_assert_eq!(vault.open(vault.current(), &key, revision, sealed.body).unwrap(), json);
        }

        #[test]
        fn foreign_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut payload = bytes.as_slice();
            while Record::take(&mut payload).is_some() {}
        }
    }
}
