//! A message on its way out: its head, then its body, in as few writes as may be.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::{Body, Frame};
use tokio::io::AsyncWrite;
use toolforge_http1::{LAST_CHUNK, chunk_size, encode_trailers};

use crate::body::BodyError;

/// Pieces up to this length are copied behind what goes before them: cheaper than a vector of two for the system.
const COPIED_BYTES: usize = 8 * 1024;

/// With so much waiting to be written, no more is asked for.
const ENOUGH_BYTES: usize = 32 * 1024;

/// What a body goes out as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing.
    Nothing,
    /// So many bytes as they are.
    Plain(u64),
    /// As they are, however many.
    Endless,
    /// In chunks.
    Chunks,
}

/// Why a message could not be sent.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The connection broke.
    Connection(io::Error),
    /// The body broke off, or is not as long as was said.
    Body(BodyError),
}

/// A message that is being written.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// First what is here,
    front: BytesMut,
    /// then this,
    body: Bytes,
    /// and then this.
    tail: &'static [u8],
    shape: Shape,
    has_ended: bool,
    /// Why the body broke off: told when what came before is written.
    broken: Option<BodyError>,
    is_flushed: bool,
    written_bytes: u64,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            front: BytesMut::new(),
            body: Bytes::new(),
            tail: b"",
            shape: Shape::Nothing,
            has_ended: true,
            broken: None,
            is_flushed: true,
            written_bytes: 0,
        }
    }
}

impl Outgoing {
    /// Begins a message with a body of this shape; its head is to be written into what is returned.
    pub(crate) fn begin(&mut self, shape: Shape) -> &mut BytesMut {
        self.shape = shape;
        self.has_ended = matches!(shape, Shape::Nothing | Shape::Plain(0));
        self.written_bytes = 0;
        self.interject()
    }

    /// Where to write what goes out before anything else, such as an interim answer.
    pub(crate) fn interject(&mut self) -> &mut BytesMut {
        self.is_flushed = false;
        &mut self.front
    }

    /// Whether everything was written.
    pub(crate) fn is_done(&self) -> bool {
        self.has_ended && self.is_flushed
    }

    /// Whether something waits for the other side to take it.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.is_flushed
    }

    /// How much of the message was written, with its head.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Lets go of the buffer.
    pub(crate) fn release(&mut self) {
        self.front = BytesMut::new();
    }

    /// Writes the message, asking its body for more as the other side takes it. Ready when the whole of it is written.
    pub(crate) fn poll_send<S, B>(
        &mut self,
        stream: &mut S,
        body: &mut B,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>>
    where
        S: AsyncWrite + Unpin,
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        loop {
            let mut is_body_pending = false;
            while !self.has_ended && self.has_room() {
                match Pin::new(&mut *body).poll_frame(context) {
                    Poll::Ready(frame) => {
                        if let Err(error) = self.push(frame, body.is_end_stream()) {
                            (self.broken, self.has_ended) = (Some(error), true);
                        }
                    }
                    Poll::Pending => {
                        is_body_pending = true;
                        break;
                    }
                }
            }
            ready!(self.poll_write(stream, context)).map_err(SendError::Connection)?;
            if let Some(error) = self.broken.take() {
                return Poll::Ready(Err(SendError::Body(error)));
            }
            if self.has_ended {
                return Poll::Ready(Ok(()));
            }
            if is_body_pending {
                return Poll::Pending;
            }
        }
    }

    /// Writes what waits, and nothing more.
    pub(crate) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.waiting_bytes() > 0 {
            let parts = [
                IoSlice::new(&self.front),
                IoSlice::new(&self.body),
                IoSlice::new(self.tail),
            ];
            let written = if self.body.is_empty() && self.tail.is_empty() {
                ready!(Pin::new(&mut *stream).poll_write(context, &self.front))?
            } else {
                ready!(Pin::new(&mut *stream).poll_write_vectored(context, &parts))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut *stream).poll_flush(context))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether more may be put in front: never before what belongs behind it.
    fn has_room(&self) -> bool {
        self.body.is_empty() && self.tail.is_empty() && self.front.len() < ENOUGH_BYTES
    }

    fn waiting_bytes(&self) -> usize {
        self.front.len() + self.body.len() + self.tail.len()
    }

    fn advance(&mut self, written: usize) {
        self.written_bytes += written as u64;
        let of_front = written.min(self.front.len());
        self.front.advance(of_front);
        let of_body = (written - of_front).min(self.body.len());
        if of_body == self.body.len() {
            // The buffer that it is part of is free for what comes next.
            self.body = Bytes::new();
        } else {
            self.body.advance(of_body);
        }
        self.tail = &self.tail[written - of_front - of_body..];
    }

    fn push(
        &mut self,
        frame: Option<Result<Frame<Bytes>, BodyError>>,
        is_last: bool,
    ) -> Result<(), BodyError> {
        match frame.transpose()?.map(Frame::into_data) {
            Some(Ok(data)) => self.push_data(data)?,
            Some(Err(frame)) => {
                // Without chunks there is no place for trailers.
                if let (Shape::Chunks, Ok(trailers)) = (self.shape, frame.into_trailers()) {
                    encode_trailers(&trailers, self.interject());
                    self.has_ended = true;
                }
                return Ok(());
            }
            None => return self.end(),
        }
        if is_last || self.shape == Shape::Plain(0) {
            self.end()
        } else {
            Ok(())
        }
    }

    fn push_data(&mut self, data: Bytes) -> Result<(), BodyError> {
        if data.is_empty() {
            return Ok(());
        }
        if let Shape::Plain(left) = &mut self.shape {
            *left = left.checked_sub(data.len() as u64).ok_or(BodyError::Length)?;
        }
        let is_chunked = self.shape == Shape::Chunks;
        if is_chunked {
            chunk_size(data.len(), self.interject());
        }
        let end: &[u8] = if is_chunked { b"\r\n" } else { b"" };
        if data.len() <= COPIED_BYTES {
            let front = self.interject();
            front.extend_from_slice(&data);
            front.extend_from_slice(end);
        } else {
            self.is_flushed = false;
            self.body = data;
            self.tail = if is_chunked { b"\r\n" } else { b"" };
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), BodyError> {
        match self.shape {
            Shape::Plain(1..) => return Err(BodyError::Length),
            Shape::Chunks if self.body.is_empty() => self.interject().extend_from_slice(LAST_CHUNK),
            // A long piece is still before it.
            Shape::Chunks => self.tail = b"\r\n0\r\n\r\n",
            Shape::Nothing | Shape::Plain(0) | Shape::Endless => {}
        }
        self.has_ended = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        io,
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use bytes::{Bytes, BytesMut};
    use http_body::{Body, Frame};
    use proptest::{collection::vec, prelude::*};
    use tokio::io::AsyncWrite;
    use toolforge_http1::{Length, Piece};

    use super::{Outgoing, Shape};
    use crate::body::BodyError;

    /// What a connection takes of what it is given.
    #[derive(Clone, Copy, Debug)]
    enum Take {
        Nothing,
        First(usize),
        AllBut(usize),
    }

    struct Slow {
        takes: VecDeque<Take>,
        taken: Vec<u8>,
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let takes = match self.takes.pop_front().unwrap_or(Take::AllBut(0)) {
                Take::Nothing => return Poll::Pending,
                Take::First(count) => count.min(bytes.len()),
                Take::AllBut(count) => bytes.len().saturating_sub(count).max(1),
            };
            self.taken.extend_from_slice(&bytes[..takes]);
            Poll::Ready(Ok(takes))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            parts: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            self.poll_write(context, &all)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Parts(VecDeque<Bytes>);

    impl Body for Parts {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
        }
    }

    fn sent(shape: Shape, parts: &[Bytes], takes: Vec<Take>) -> Vec<u8> {
        let mut outgoing = Outgoing::default();
        outgoing.begin(shape);
        let mut stream = Slow {
            takes: takes.into(),
            taken: Vec::new(),
        };
        let mut body = Parts(parts.iter().cloned().collect());
        let mut context = Context::from_waker(Waker::noop());
        while outgoing
            .poll_send(&mut stream, &mut body, &mut context)
            .is_pending()
        {}
        assert!(outgoing.is_done());
        stream.taken
    }

    proptest! {
        /// Pieces on both sides of what is copied, through a connection that takes what it likes.
        #[test]
        fn bodies_arrive_whole_however_slowly_they_are_taken(
            lengths in vec(prop_oneof![1..50_usize, 8_190..8_200_usize], 0..5),
            takes in vec(
                prop_oneof![
                    Just(Take::Nothing),
                    (1..5_usize).prop_map(Take::First),
                    (0..5_usize).prop_map(Take::AllBut),
                ],
                0..40,
            ),
        ) {
            let mut next = 0_u8;
            let mut part = |length| -> Bytes {
                let bytes = (0..length).map(|_| {
                    next = next.wrapping_add(1);
                    next
                });
                bytes.collect()
            };
            let parts: Vec<Bytes> = lengths.into_iter().map(&mut part).collect();
            let whole = parts.concat();
            let plain = sent(Shape::Plain(whole.len() as u64), &parts, takes.clone());
            prop_assert!(plain == whole);
            let chunks = sent(Shape::Chunks, &parts, takes);
            let (mut body, mut read) = (toolforge_http1::Body::new(Length::Chunked), BytesMut::from(&chunks[..]));
            let mut came = Vec::new();
            while let Piece::Data(data) = body.take(&mut read).unwrap() {
                came.extend_from_slice(&data);
            }
            prop_assert!(body.has_ended() && came == whole);
        }
    }
}
