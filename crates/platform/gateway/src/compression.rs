//! Compression of tools' answers on their way to visitors, where the tool sent text as it is.
//!
//! `data_plane` asks for it when an answer came. Which answers may be compressed, which coding a visitor takes, and how
//! pieces become compressed pieces are decided in files of their own; the first two are pure.

pub(crate) mod answers;
pub(crate) mod body;
pub(crate) mod encoder;
mod negotiation;

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::COMPRESSIONS_AT_ONCE;

/// A content coding that the gateway can apply, by its name in `Accept-Encoding` (RFC 9110 8.4.1, 7932, 8878).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Coding {
    /// Zstandard.
    #[serde(rename = "zstd")]
    Zstd,
    /// Brotli.
    #[serde(rename = "br")]
    Brotli,
    /// gzip.
    #[serde(rename = "gzip")]
    Gzip,
}

impl Coding {
    /// The name in `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// The codings that visitors are offered, the first one being preferred; with none nothing is compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer(pub(crate) Vec<Coding>);

impl Default for Offer {
    /// All of them: for text each is about as small as the other, in this order of the time that it takes.
    fn default() -> Self {
        Self(vec![Coding::Zstd, Coding::Brotli, Coding::Gzip])
    }
}

/// How many answers may be compressed at once: beyond that they pass as they are, so that visitors who take them
/// slowly hold a bounded amount of memory.
#[derive(Debug)]
pub(crate) struct Desks(Arc<Semaphore>);

impl Default for Desks {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(COMPRESSIONS_AT_ONCE)))
    }
}

impl Desks {
    /// A free one.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_owned().ok()
    }
}
