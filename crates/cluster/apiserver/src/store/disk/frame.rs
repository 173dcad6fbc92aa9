//! Frames: how a group of records is laid out in a file, so that any change of any byte is noticed.
//!
//! Pure. A frame is a head, a payload and a checksum over both; the head holds the checksum of the frame before, so that
//! frames cannot be left out or moved. The head has a checksum of its own, so that its length can be trusted.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Bytes before the payload.
pub(crate) const HEAD_BYTES: usize = 40;
/// Bytes after the payload.
pub(crate) const TAIL_BYTES: usize = 8;
/// What a frame begins with. No JSON has these bytes: they are not UTF-8.
pub(crate) const MAGIC: [u8; 4] = [0xF5, b't', b'f', 0xFE];

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Records that were written together.
    Group,
    /// Nothing: the file is complete, with so many records.
    End,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: FrameKind,
    /// Bytes of the payload.
    pub(crate) length: u32,
    /// Records in the frame; in an end frame, those of the whole file.
    pub(crate) count: u32,
    /// The revision of the last record, or of the file.
    pub(crate) revision: u64,
    /// The checksum of the frame before.
    pub(crate) chain: u64,
    /// The head's own checksum.
    sum: u64,
}

impl Head {
    /// Reads a head; `None` when the bytes are none.
    pub(crate) fn read(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (revision, rest) = rest.split_first_chunk::<8>()?;
        let (chain, rest) = rest.split_first_chunk::<8>()?;
        let sum = u64::from_be_bytes(*rest.first_chunk::<8>()?);
        if *magic != MAGIC || sum != xxh3_64(&bytes[..HEAD_BYTES - 8]) {
            return None;
        }
        Some(Self {
            kind: match kind {
                b"grp1" => FrameKind::Group,
                b"end1" => FrameKind::End,
                _ => return None,
            },
            length: u32::from_be_bytes(*length),
            count: u32::from_be_bytes(*count),
            revision: u64::from_be_bytes(*revision),
            chain: u64::from_be_bytes(*chain),
            sum,
        })
    }

    /// The checksum that a payload must have; also the chain value of the next frame.
    pub(crate) fn checksum(&self, payload: &[u8]) -> u64 {
        xxh3_64_with_seed(payload, self.sum)
    }
}

/// A frame in the making. Used again and again, so that its memory is.
#[derive(Debug, Default)]
pub(crate) struct FrameBuffer {
    bytes: Vec<u8>,
    count: u32,
}

impl FrameBuffer {
    /// Where records are appended to; each must be counted.
    pub(crate) fn add(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        if self.bytes.is_empty() {
            self.bytes.resize(HEAD_BYTES, 0);
        }
        append(&mut self.bytes);
        self.count += 1;
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Records so far.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Completes the frame; gives the chain value for the next.
    pub(crate) fn seal(&mut self, kind: FrameKind, count: u32, revision: u64, chain: u64) -> u64 {
        if self.bytes.is_empty() {
            self.bytes.resize(HEAD_BYTES, 0);
        }
        let length = u32::try_from(self.bytes.len() - HEAD_BYTES).expect("a group is smaller than 4 GiB");
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(match kind {
            FrameKind::Group => b"grp1",
            FrameKind::End => b"end1",
        });
        head.extend_from_slice(&length.to_be_bytes());
        head.extend_from_slice(&count.to_be_bytes());
        head.extend_from_slice(&revision.to_be_bytes());
        head.extend_from_slice(&chain.to_be_bytes());
        let head_sum = xxh3_64(&head);
        head.extend_from_slice(&head_sum.to_be_bytes());
        self.bytes[..HEAD_BYTES].copy_from_slice(&head);
        let sum = xxh3_64_with_seed(&self.bytes[HEAD_BYTES..], head_sum);
        self.bytes.extend_from_slice(&sum.to_be_bytes());
        sum
    }

    /// The bytes of the sealed frame.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Begins the next frame; memory that an unusually large one took is given back.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(1 << 20);
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut frame = FrameBuffer::default();
        frame.add(|bytes| bytes.extend_from_slice(b"some payload"));
        let chain = frame.seal(FrameKind::Group, 1, 7, 3);
        let is_whole = |bytes: &[u8]| {
            let head = Head::read(bytes.first_chunk().unwrap())?;
            let (payload, tail) = bytes[HEAD_BYTES..].split_at_checked(head.length as usize)?;
            (tail == head.checksum(payload).to_be_bytes()).then_some(head)
        };
        let whole = frame.bytes().to_vec();
        let head = is_whole(&whole).unwrap();
        assert_eq!((head.revision, head.chain, head.count), (7, 3, 1));
        assert_eq!(head.checksum(b"some payload"), chain);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(is_whole(&flipped), None, "bit {bit}");
        }
    }
}
