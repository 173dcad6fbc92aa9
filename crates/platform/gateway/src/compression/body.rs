//! A tool's body on its way through an encoder. As much is taken from the tool as makes a piece worth sending, and
//! when the tool pauses everything that it has said goes out.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::OwnedSemaphorePermit;

use super::encoder::Encoder;
use crate::body::{BodyError, Source};

/// So much makes a piece, in bytes: a TLS record's worth.
const PIECE_BYTES: usize = 16 * 1024;

/// A body that is compressed.
#[derive(Debug)]
pub(crate) struct CompressedBody {
    source: Source,
    /// Nothing at the end.
    encoder: Option<Encoder>,
    /// Whether the encoder may hold something back.
    holds_back: bool,
    trailers: Option<HeaderMap>,
    _desk: OwnedSemaphorePermit,
}

impl CompressedBody {
    pub(crate) fn new(source: Source, encoder: Encoder, desk: OwnedSemaphorePermit) -> Self {
        Self {
            source,
            encoder: Some(encoder),
            holds_back: false,
            trailers: None,
            _desk: desk,
        }
    }

    /// The body as the tool sends it.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }

    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while let Some(encoder) = &mut self.encoder {
            let written = match self.source.poll(context) {
                Poll::Pending if self.holds_back => {
                    self.holds_back = false;
                    encoder.flush()
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        self.holds_back = true;
                        encoder.write(&data)
                    }
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        return self.finish();
                    }
                },
                Poll::Ready(Some(Err(error))) => {
                    self.encoder = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => return self.finish(),
            };
            if let Err(error) = written {
                self.encoder = None;
                return Poll::Ready(Some(Err(BodyError::Compression(error))));
            }
            let waiting_bytes = encoder.waiting_bytes();
            if waiting_bytes >= PIECE_BYTES || !self.holds_back && waiting_bytes > 0 {
                return Poll::Ready(Some(Ok(Frame::data(encoder.take().into()))));
            }
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn finish(&mut self) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let last = self.encoder.take().map(Encoder::finish);
        Poll::Ready(last.map(|last| match last {
            Ok(last) => Ok(Frame::data(last.into())),
            Err(error) => Err(BodyError::Compression(error)),
        }))
    }
}
