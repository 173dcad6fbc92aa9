//! One stream of many on a connection, in each direction: what comes waits in a bounded queue, what goes joins the one
//! queue of the connection.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use tokio_util::sync::CancellationToken;

use crate::spdy::table::Sending;
use crate::spdy::window::Credit;

/// How much of one stream waits for its reader, in bytes. A connection whose reader lags is not read further.
const WAITING_BYTES: u32 = 256 << 10;
/// What a piece weighs beside its bytes, so that many tiny ones are bounded too.
const PIECE_BYTES: u32 = 64;
/// How many pieces of all streams together wait for a connection to take them.
const OUTBOX: usize = 16;
/// Longest piece that is sent at once, in bytes: streams of one connection take turns.
const LONGEST_PIECE: usize = 32 << 10;

/// The other end does not take anything any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other end of the stream is gone")]
pub struct Gone;

/// What a connection is asked to send.
#[derive(Debug)]
pub(crate) enum Packet {
    /// Accept a stream that the client opened.
    Reply(u32),
    /// Bytes on a stream.
    Data(u32, Bytes),
    /// The end of a stream in this direction.
    Finish(u32),
    /// The end of a stream in both directions, with SPDY's reason.
    Reset(u32, u32),
    /// An answer to a ping.
    Pong(u32),
    /// Bytes of a stream (0: of all) that were consumed.
    Consumed(u32, u32),
    /// No further streams; the last one that was accepted, and SPDY's reason.
    GoAway(u32, u32),
}

pub(crate) type Outbox = mpsc::Sender<Packet>;

/// The one queue of what a connection sends.
pub(crate) fn outbox() -> (Outbox, mpsc::Receiver<Packet>) {
    mpsc::channel(OUTBOX)
}

/// Where a connection puts what comes on a stream.
#[derive(Debug)]
pub(crate) struct Inlet {
    room: Arc<Semaphore>,
    to: mpsc::UnboundedSender<(Bytes, OwnedSemaphorePermit)>,
}

/// What comes on a stream.
#[derive(Debug)]
pub struct Incoming {
    from: mpsc::UnboundedReceiver<(Bytes, OwnedSemaphorePermit)>,
    /// Whom to tell of what was consumed, where the peer counts.
    consumed: Option<(u32, Outbox)>,
}

/// A stream's queue; the peer is told of what was consumed where `consumed` says so.
pub(crate) fn inlet(consumed: Option<(u32, Outbox)>) -> (Inlet, Incoming) {
    // Unbounded in number; the permits bound it.
    let (to, from) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(
        usize::try_from(WAITING_BYTES).unwrap_or(usize::MAX),
    ));
    (Inlet { room, to }, Incoming { from, consumed })
}

impl Inlet {
    /// Waits for room and puts bytes into it. Bytes that nobody wants any more are dropped.
    pub(crate) async fn put(&self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let weight = u32::try_from(bytes.len())
            .unwrap_or(u32::MAX)
            .saturating_add(PIECE_BYTES)
            .min(WAITING_BYTES);
        let permit = tokio::select! {
            permit = self.room.clone().acquire_many_owned(weight) => permit,
            () = self.to.closed() => return,
        };
        if let Ok(permit) = permit {
            let _ = self.to.send((bytes, permit));
        }
    }
}

impl Incoming {
    /// The next bytes, never empty; none at the end of the stream or of the connection.
    pub async fn next(&mut self) -> Option<Bytes> {
        let (bytes, permit) = self.from.recv().await?;
        drop(permit);
        if let Some((stream, outbox)) = &self.consumed {
            let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            for of in [*stream, 0] {
                // The connection's end is told by the queue itself.
                let _ = outbox.send(Packet::Consumed(of, count)).await;
            }
        }
        Some(bytes)
    }
}

/// What goes on a stream. Dropped without [`Outgoing::finish`] it is left open, and ends with the connection.
#[derive(Debug)]
pub struct Outgoing {
    stream: u32,
    outbox: Outbox,
    credit: Credit,
    reset: CancellationToken,
    /// Holds the stream's place on its connection.
    _sending: Option<Sending>,
}

impl Outgoing {
    /// A stream that nothing but its connection ends.
    pub(crate) fn new(stream: u32, outbox: Outbox) -> Self {
        Self {
            stream,
            outbox,
            credit: Credit::default(),
            reset: CancellationToken::new(),
            _sending: None,
        }
    }

    /// A stream that the peer counts for and may take back with `reset`.
    pub(crate) fn counted(
        stream: u32,
        outbox: Outbox,
        credit: Credit,
        reset: CancellationToken,
        sending: Sending,
    ) -> Self {
        Self {
            stream,
            outbox,
            credit,
            reset,
            _sending: Some(sending),
        }
    }

    /// Sends bytes; waits while the connection is busy.
    ///
    /// # Errors
    /// When the connection is gone or the peer wants no more.
    pub async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        self.reset
            .run_until_cancelled(self.send_all(bytes))
            .await
            .unwrap_or(Err(Gone))
    }

    /// Waits until nothing that is sent arrives any more.
    pub async fn gone(&self) {
        tokio::select! {
            () = self.reset.cancelled() => {}
            () = self.outbox.closed() => {}
        }
    }

    async fn send_all(&self, mut bytes: Bytes) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let wanted = bytes.len().min(LONGEST_PIECE);
            let allowed = self.credit.take(wanted).await.ok_or(Gone)?;
            let piece = bytes.split_to(allowed);
            self.put(Packet::Data(self.stream, piece)).await?;
        }
        Ok(())
    }

    /// Tells the other end that the connection stands, by a piece without bytes: WebSocket clients wait for it.
    pub(crate) async fn greet(&self) -> Result<(), Gone> {
        self.put(Packet::Data(self.stream, Bytes::new())).await
    }

    /// Ends the stream.
    pub async fn finish(self) {
        let _ = self.put(Packet::Finish(self.stream)).await;
    }

    /// Takes both directions back.
    pub(crate) async fn reset(self, reason: u32) {
        let _ = self.put(Packet::Reset(self.stream, reason)).await;
    }

    async fn put(&self, packet: Packet) -> Result<(), Gone> {
        self.outbox.send(packet).await.map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_lags_holds_the_writer_up() {
        let (inlet, mut incoming) = inlet(None);
        let piece = Bytes::from(vec![7; 200 << 10]);
        inlet.put(piece.clone()).await;
        let blocked = tokio::time::timeout(std::time::Duration::from_millis(20), inlet.put(piece)).await;
        assert!(blocked.is_err(), "there is no room for two");
        assert_eq!(incoming.next().await.expect("the first").len(), 200 << 10);
        inlet.put(Bytes::from_static(b"next")).await;
        assert_eq!(incoming.next().await.as_deref(), Some(b"next".as_slice()));
        drop(inlet);
        assert_eq!(incoming.next().await, None);
    }

    #[tokio::test]
    async fn a_piece_larger_than_the_queue_passes_alone() {
        let (inlet, mut incoming) = inlet(None);
        inlet.put(Bytes::from(vec![0; 1 << 20])).await;
        assert_eq!(incoming.next().await.expect("it").len(), 1 << 20);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_reader_that_is_gone() {
        let (inlet, incoming) = inlet(None);
        inlet.put(Bytes::from(vec![0; 1 << 20])).await;
        drop(incoming);
        inlet.put(Bytes::from(vec![0; 1 << 20])).await;
    }
}
