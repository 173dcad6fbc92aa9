//! One gzip stream out of pieces that were deflated apart, at different times.
//!
//! A piece refers to nothing before it and ends at a byte (RFC 1951, an empty stored block), so pieces can follow each other in any order;
//! the checksum of the whole comes from those of the pieces (RFC 1952). Readers see an ordinary stream of one member.

use bytes::{Bytes, BytesMut};
use flate2::{Compress, Compression, Crc, FlushCompress};

/// RFC 1952: the magic number, deflate, no name, no time, no hint, an unknown system.
const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// RFC 1951: an empty block that is the last one.
const LAST_BLOCK: [u8; 2] = [3, 0];
/// What the end of a piece takes at most, besides what is in it.
const MARGIN_BYTES: usize = 64;

/// A piece of a text, deflated.
#[derive(Debug)]
pub(super) struct Deflated {
    bytes: Bytes,
    /// Of the text.
    crc: Crc,
}

/// Deflates pieces one after another.
pub(super) struct Deflater(Compress);

impl Default for Deflater {
    fn default() -> Self {
        // Lines of figures are so much alike that more effort gains little.
        Self(Compress::new(Compression::fast(), false))
    }
}

impl Deflater {
    pub(super) fn deflate(&mut self, text: &[u8]) -> Deflated {
        let mut crc = Crc::new();
        crc.update(text);
        let mut bytes = Vec::new();
        if !text.is_empty() {
            self.0.reset();
            bytes.reserve(text.len() / 8 + MARGIN_BYTES);
            self.fill(text, &mut bytes);
            bytes.shrink_to_fit();
        }
        Deflated {
            bytes: bytes.into(),
            crc,
        }
    }

    /// What deflate has to say is said when it leaves room.
    fn fill(&mut self, mut text: &[u8], bytes: &mut Vec<u8>) {
        loop {
            let before = self.0.total_in();
            // Fails only for arguments that are not given here.
            let _ = self.0.compress_vec(text, bytes, FlushCompress::Sync);
            let read = usize::try_from(self.0.total_in() - before).unwrap_or(usize::MAX);
            text = text.get(read..).unwrap_or_default();
            if text.is_empty() && bytes.len() < bytes.capacity() {
                return;
            }
            bytes.reserve(bytes.len() + MARGIN_BYTES);
        }
    }
}

/// A stream while it is being put together.
#[derive(Default)]
pub(super) struct Gzip {
    crc: Crc,
}

impl Gzip {
    /// What comes first.
    pub(super) fn header() -> Bytes {
        Bytes::from_static(HEADER)
    }

    /// What comes next for this piece.
    pub(super) fn add(&mut self, piece: &Deflated) -> Bytes {
        if piece.crc.amount() > 0 {
            self.crc.combine(&piece.crc);
        }
        piece.bytes.clone()
    }

    /// What comes last.
    pub(super) fn end(&self) -> Bytes {
        let mut end = BytesMut::from(&LAST_BLOCK[..]);
        end.extend_from_slice(&self.crc.sum().to_le_bytes());
        end.extend_from_slice(&self.crc.amount().to_le_bytes());
        end.freeze()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn stream(pieces: &[Vec<u8>]) -> Vec<u8> {
        let (mut deflater, mut gzip) = (Deflater::default(), Gzip::default());
        let mut stream = Gzip::header().to_vec();
        for piece in pieces {
            stream.extend_from_slice(&gzip.add(&deflater.deflate(piece)));
        }
        stream.extend_from_slice(&gzip.end());
        stream
    }

    /// One member, and nothing behind it: readers that know no other kind are the rule.
    fn read(stream: &[u8]) -> Vec<u8> {
        let mut decoder = GzDecoder::new(stream);
        let mut text = Vec::new();
        decoder.read_to_end(&mut text).unwrap();
        assert!(decoder.into_inner().is_empty());
        text
    }

    proptest! {
        #[test]
        fn pieces_give_the_stream_of_the_whole(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..8),
        ) {
            prop_assert_eq!(read(&stream(&pieces)), pieces.concat());
        }
    }

    #[test]
    fn lines_become_small() {
        let lines = "kube_pod_info{namespace=\"tool-demo\",pod=\"a\"} 1\n"
            .repeat(10_000)
            .into_bytes();
        let stream = stream(&[lines.clone(), lines.clone()]);
        assert!(stream.len() < lines.len() / 20, "{}", stream.len());
        assert_eq!(read(&stream).len(), 2 * lines.len());
    }
}
