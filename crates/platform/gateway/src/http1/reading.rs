//! What was read from a connection and not yet used.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::{io::AsyncRead, time::Instant};
use tokio_util::io::poll_read_buf;

/// How much is read at once, in bytes, at most.
const PART_BYTES: usize = 64 * 1024;

/// The same of what is passed on quickly: one call of the system for each piece costs about as much as its bytes.
const QUICK_PART_BYTES: usize = 128 * 1024;

/// What comes in such large pieces, in bytes, is a large body: a TLS record's worth.
const MUCH_BYTES: usize = 16 * 1024;

/// So much of a large body in [`QUICK`], in bytes, shows that both sides are quick: it is read only as it is passed on.
const QUICK_BYTES: usize = 128 * 1024;
const QUICK: Duration = Duration::from_millis(100);

/// How far from the beginning of a page a large body is read to, in bytes, where it is read to the beginning of a buffer.
///
/// TLS copies it from there into records, which begin with five bytes of their own in buffers that begin with a page too. To
/// a place so little further on in its page than where they come from, AMD's Zen 3 and 4 copy bytes seventeen times slower
/// than to any other, with the `memcpy` of the C library before 2.39 (its bug 30994).
const OFF_BYTES: usize = 64;

thread_local! {
    /// Where is read to before it is known how much comes: one for each thread, so that the thousands of connections
    /// that wait hold nothing.
    static DESK: RefCell<BytesMut> = RefCell::default();
}

/// The reading side of a connection.
///
/// What was read is copied off the desk, in as much memory as it takes, so that it may wait there for as long as it must. Of a
/// large body that is passed on quickly the desk itself is given away, which is free again in a moment.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Read and not yet used.
    pub(crate) bytes: BytesMut,
    pace: Pace,
}

/// How quickly a large body comes.
#[derive(Debug, Default)]
struct Pace {
    since: Option<Instant>,
    /// In large pieces since then.
    bytes: usize,
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
        let is_quick = self.pace.is_quick();
        let most = if is_quick {
            // What is left of the last piece would hold the desk.
            self.release();
            QUICK_PART_BYTES
        } else {
            PART_BYTES
        };
        DESK.with_borrow_mut(|desk| {
            make_room(desk, most);
            let came = ready!(poll_read_buf(
                Pin::new(stream),
                context,
                &mut (&mut *desk).limit(most)
            ))?;
            if came >= MUCH_BYTES {
                self.pace.note(came);
            }
            if is_quick && came >= MUCH_BYTES && self.bytes.is_empty() {
                self.bytes = desk.split();
            } else {
                self.bytes.extend_from_slice(desk);
                desk.clear();
            }
            Poll::Ready(Ok(came))
        })
    }

    /// Lets go of the buffer, if nothing is in it.
    pub(crate) fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }
}

impl Pace {
    fn is_quick(&self) -> bool {
        self.bytes >= QUICK_BYTES && self.since.is_some_and(|since| since.elapsed() < QUICK)
    }

    fn note(&mut self, came: usize) {
        let now = Instant::now();
        match self.since {
            Some(since) if now - since < QUICK => self.bytes += came,
            _ => (self.since, self.bytes) = (Some(now), came),
        }
    }
}

/// Makes room on the desk, which is empty: in the memory that it has, if nobody holds any of that.
fn make_room(desk: &mut BytesMut, most: usize) {
    if desk.capacity() < most {
        desk.reserve(OFF_BYTES + QUICK_PART_BYTES);
        desk.put_bytes(0, OFF_BYTES);
        desk.advance(OFF_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{ReadBuf, Repeat, repeat};
    use tokio::time::advance;

    use super::*;

    /// Gives pieces of this length.
    struct Pieces(usize);

    impl AsyncRead for Pieces {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let length = self.0.min(buffer.remaining());
            buffer.put_slice(&vec![7; length]);
            Poll::Ready(Ok(()))
        }
    }

    fn read<S: AsyncRead + Unpin>(reading: &mut Reading, stream: &mut S) -> BytesMut {
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(came)) = reading.poll_more(stream, &mut context) else {
            panic!("there is always something");
        };
        let bytes = reading.bytes.split();
        assert_eq!(bytes.len(), came);
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_waits_for_its_visitor_takes_no_more_memory_than_it_is_long() {
        let (mut reading, mut stream): (_, Repeat) = (Reading::default(), repeat(7));
        for _ in 0..5 {
            let piece = read(&mut reading, &mut stream);
            assert_eq!(piece.len(), PART_BYTES);
            assert!(piece.capacity() < 2 * PART_BYTES, "{}", piece.capacity());
            advance(QUICK / 2).await;
        }
        // As long as it is slow, however it was before.
        while read(&mut reading, &mut stream).len() == PART_BYTES {}
        advance(QUICK).await;
        assert_eq!(read(&mut reading, &mut stream).len(), PART_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_quick_one_the_same_memory_is_given_away_again_and_again() {
        let (mut reading, mut stream) = (Reading::default(), repeat(7));
        let mut places = Vec::new();
        for _ in 0..8 {
            let piece = read(&mut reading, &mut stream);
            assert!(piece.iter().all(|byte| *byte == 7));
            places.push((piece.as_ptr() as usize, piece.len()));
        }
        let quick = places.split_off(QUICK_BYTES / PART_BYTES);
        assert!(
            quick
                .iter()
                .all(|place| place.1 == QUICK_PART_BYTES && *place == quick[0]),
            "{quick:?}"
        );
        // One that somebody holds is left alone.
        let held = read(&mut reading, &mut stream);
        let next = read(&mut reading, &mut stream);
        assert_ne!(held.as_ptr(), next.as_ptr());
        assert!(held.iter().chain(&next).all(|byte| *byte == 7));
    }

    #[tokio::test(start_paused = true)]
    async fn small_pieces_are_copied_however_many_come() {
        let (mut reading, mut stream) = (Reading::default(), Pieces(MUCH_BYTES - 1));
        for _ in 0..100 {
            assert!(read(&mut reading, &mut stream).capacity() < 2 * MUCH_BYTES);
        }
        assert_eq!(reading.pace.bytes, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_used_yet_stays_before_what_comes() {
        let (mut reading, mut stream) = (Reading::default(), repeat(7));
        reading.bytes.extend_from_slice(b"head");
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10 {
            assert!(reading.poll_more(&mut stream, &mut context).is_ready());
        }
        assert!(reading.bytes.starts_with(b"head\x07"));
        assert!(reading.bytes[4..].iter().all(|byte| *byte == 7));
    }
}
