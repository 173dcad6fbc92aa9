//! The three encoders behind one face: bytes go in, and come out of a buffer when there are some.

use std::{
    fmt,
    io::{self, Write as _},
    mem,
};

use brotli::{CompressorWriter, enc::BrotliEncoderParams};
use flate2::write::GzEncoder;

use super::Coding;

/// Text of a page at a third of the time of the usual 6, a twentieth larger.
const GZIP_LEVEL: u32 = 4;

/// The last quality that is quick, and smaller than gzip at its best.
const BROTLI_QUALITY: i32 = 4;

/// How far back both look, as a power of two in bytes: pages are seldom larger, and all of it is held for each answer.
/// Far below what visitors must be ready for, which is 2 to the 23 (RFC 9659).
const WINDOW_BITS: u8 = 18;

/// What zstd itself takes for a good middle.
const ZSTD_LEVEL: i32 = 3;

/// What the brotli encoder gathers before it passes it on.
const BROTLI_BUFFER_BYTES: usize = 4096;

/// An encoder, which writes into memory. It holds up to 1.5 MiB, and less for an answer whose length is known.
pub(crate) enum Encoder {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Encoder {
    /// An encoder for an answer of so many bytes.
    pub(crate) fn new(coding: Coding, length: Option<u64>) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(Box::new(gzip())),
            Coding::Brotli => Self::Brotli(Box::new(brotli(length))),
            Coding::Zstd => Self::Zstd(Box::new(zstd(length)?)),
        })
    }

    /// Takes in a piece.
    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(piece),
            Self::Brotli(encoder) => encoder.write_all(piece),
            Self::Zstd(encoder) => encoder.write_all(piece),
        }
    }

    /// Has everything come out that was taken in.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Brotli(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }

    /// How much came out and was not taken.
    pub(crate) fn waiting_bytes(&self) -> usize {
        match self {
            Self::Gzip(encoder) => encoder.get_ref().len(),
            Self::Brotli(encoder) => encoder.get_ref().len(),
            Self::Zstd(encoder) => encoder.get_ref().len(),
        }
    }

    /// Takes what came out.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        mem::take(match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        })
    }

    /// What comes out last.
    pub(crate) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

fn gzip() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))
}

fn brotli(length: Option<u64>) -> CompressorWriter<Vec<u8>> {
    let params = BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: i32::from(window_bits(length)),
        size_hint: length.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX)),
        ..BrotliEncoderParams::default()
    };
    CompressorWriter::with_params(Vec::new(), BROTLI_BUFFER_BYTES, &params)
}

fn zstd(length: Option<u64>) -> io::Result<zstd::stream::write::Encoder<'static, Vec<u8>>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
    encoder.window_log(u32::from(window_bits(length)))?;
    // With it the tables are no larger than the answer.
    encoder.set_pledged_src_size(length)?;
    Ok(encoder)
}

/// A window that is no larger than the answer.
fn window_bits(length: Option<u64>) -> u8 {
    let is_enough = |bits: &u8| length.is_some_and(|length| length < 1 << bits);
    (12..WINDOW_BITS).find(is_enough).unwrap_or(WINDOW_BITS)
}

impl fmt::Debug for Encoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Gzip(_) => "Encoder(gzip)",
            Self::Brotli(_) => "Encoder(br)",
            Self::Zstd(_) => "Encoder(zstd)",
        })
    }
}
