//! The first bytes of every file of the store: what it is, of which store, and which key it needs.
//!
//! Pure.

use xxhash_rust::xxh3::xxh3_64;

use super::vault::KeyId;

/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 64;
/// The layout of everything that follows; a different one is refused, never guessed at.
const MAGIC: &[u8; 8] = b"TFSTORE2";
/// What all layouts begin with.
const FAMILY: &[u8] = b"TFSTORE";

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// Writes after a revision, in order.
    Journal,
    /// All objects at a revision.
    Snapshot,
    /// A snapshot outside the store.
    Backup,
}

/// The header of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: FileKind,
    /// The revision of a snapshot; that before the first write of a journal.
    pub(crate) base: u64,
    /// The checksum at the end of the journal before.
    pub(crate) chain: u64,
    /// What sealed values of the file are sealed with.
    pub(crate) key: KeyId,
    /// Files of two stores are not mixed.
    pub(crate) store: [u8; 16],
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Damaged,
    OtherLayout,
}

impl Header {
    /// The header's bytes.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(match self.kind {
            FileKind::Journal => b"journal ",
            FileKind::Snapshot => b"snapshot",
            FileKind::Backup => b"backup  ",
        });
        bytes.extend_from_slice(&self.base.to_be_bytes());
        bytes.extend_from_slice(&self.chain.to_be_bytes());
        bytes.extend_from_slice(&self.key.0);
        bytes.extend_from_slice(&self.store);
        bytes.extend_from_slice(&xxh3_64(&bytes).to_be_bytes());
        bytes.try_into().expect("the parts add up to the length")
    }

    /// Reads a header.
    pub(crate) fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Self, HeaderError> {
        let (body, sum) = bytes.split_at(HEADER_BYTES - 8);
        if sum != xxh3_64(body).to_be_bytes() {
            return Err(HeaderError::Damaged);
        }
        if &body[..8] != MAGIC {
            let known = body.starts_with(FAMILY);
            return Err(if known {
                HeaderError::OtherLayout
            } else {
                HeaderError::Damaged
            });
        }
        let number = |at: usize| {
            body[at..]
                .first_chunk::<8>()
                .map(|bytes| u64::from_be_bytes(*bytes))
        };
        Self::fields(body, number).ok_or(HeaderError::Damaged)
    }

    fn fields(body: &[u8], number: impl Fn(usize) -> Option<u64>) -> Option<Self> {
        Some(Self {
            kind: match &body[8..16] {
                b"journal " => FileKind::Journal,
                b"snapshot" => FileKind::Snapshot,
                b"backup  " => FileKind::Backup,
                _ => return None,
            },
            base: number(16)?,
            chain: number(24)?,
            key: KeyId(*body[32..].first_chunk()?),
            store: *body[40..].first_chunk()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_a_changed_one_does_not() {
        let header = Header {
            kind: FileKind::Snapshot,
            base: 12,
            chain: 34,
            key: KeyId([5; 8]),
            store: [6; 16],
        };
        let bytes = header.encode();
        assert_eq!(Header::read(&bytes), Ok(header));
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::read(&flipped), Err(HeaderError::Damaged));
        }
    }

    #[test]
    fn another_layout_is_told_from_damage() {
        let mut bytes = Header {
            kind: FileKind::Journal,
            base: 0,
            chain: 0,
            key: KeyId([0; 8]),
            store: [0; 16],
        }
        .encode();
        bytes[7] = b'3';
        let sum = xxh3_64(&bytes[..HEADER_BYTES - 8]).to_be_bytes();
        bytes[HEADER_BYTES - 8..].copy_from_slice(&sum);
        assert_eq!(Header::read(&bytes), Err(HeaderError::OtherLayout));
    }
}
