//! What was read from a connection and not yet used.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

/// How much is read at once, in bytes.
const PART_BYTES: usize = 64 * 1024;

/// How far from the beginning of a page a large body is read to, in bytes, where it is read to the beginning of a buffer.
///
/// TLS copies it from there into records, which begin with five bytes of their own in buffers that begin with a page too. To
/// a place so little further on in its page than where they come from, AMD's Zen 3 and 4 copy bytes seventeen times slower
/// than to any other, with the `memcpy` of the C library before 2.39 (its bug 30994).
const OFF_BYTES: usize = 64;

/// Who sends so much at once, in bytes, sends a large body: a TLS record's worth.
const MUCH_BYTES: usize = 16 * 1024;

thread_local! {
    /// Where is read to before it is known how much comes: one for each thread, so that the thousands of connections
    /// that wait hold nothing.
    static DESK: RefCell<Box<[u8]>> = RefCell::new(vec![0; PART_BYTES].into_boxed_slice());
}

/// The reading side of a connection.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Read and not yet used.
    pub(crate) bytes: BytesMut,
    /// Whether much comes: then it is read to where it stays, and not copied there.
    is_busy: bool,
}

impl Reading {
    /// Reads what is there, and adds it. While nothing comes nothing is held.
    ///
    /// Ready with the number of bytes: 0 at the end of the stream.
    pub(crate) fn poll_more<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let came = if self.is_busy {
            self.make_room();
            let polled = tokio_util::io::poll_read_buf(Pin::new(stream), context, &mut self.bytes);
            if polled.is_pending() {
                self.is_busy = false;
                self.release();
            }
            ready!(polled)?
        } else {
            ready!(self.poll_desk(stream, context))?
        };
        self.is_busy = came >= MUCH_BYTES;
        Poll::Ready(Ok(came))
    }

    /// Lets go of the buffer, if nothing is in it.
    pub(crate) fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }

    fn make_room(&mut self) {
        self.bytes.reserve(OFF_BYTES + PART_BYTES);
        if self.bytes.is_empty() {
            self.bytes.put_bytes(0, OFF_BYTES);
            self.bytes.advance(OFF_BYTES);
        }
    }

    fn poll_desk<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        DESK.with_borrow_mut(|desk| {
            let mut buffer = ReadBuf::new(desk);
            ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
            self.bytes.extend_from_slice(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }
}
