//! Streams as channels of a WebSocket: the first byte of each message says which
//! (<https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/httpstream/wsstream/doc.go>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::flow::{Incoming, Inlet, Outbox, Outgoing, Packet, inlet, outbox};
use crate::spdy::lingered;
use crate::websocket::Socket;

/// The channel on which version 5 says that another one has ended.
const CLOSE: u8 = 255;

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// The channel as a byte, then bytes.
    Binary,
    /// The channel as a digit, then base64.
    Base64,
}

/// The channels of one WebSocket. Dropped, it ends after a while; [`Channels::close`] ends it at once.
#[derive(Debug)]
pub(crate) struct Channels {
    outbox: Outbox,
    incoming: Vec<Option<Incoming>>,
    gone: CancellationToken,
    _ended: DropGuard,
}

impl Channels {
    /// Runs a WebSocket on tasks of its own; the client may send on those channels that are `readable`.
    pub(crate) fn start(socket: Socket, coding: Coding, readable: &[bool]) -> Self {
        let (outbox, queue) = outbox();
        let (sink, stream) = socket.split();
        let (gone, ended) = (CancellationToken::new(), CancellationToken::new());
        let (inlets, incoming): (Vec<_>, Vec<_>) = readable
            .iter()
            .map(|readable| readable.then(|| inlet(None)).unzip())
            .unzip();
        let (end_of_reading, end_of_writing, over) = (gone.clone(), gone.clone(), ended.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = read(stream, coding, inlets) => {}
                () = end_of_reading.cancelled() => {}
                () = lingered(&over) => {}
            }
            end_of_reading.cancel();
        });
        let over = ended.clone();
        tokio::spawn(async move {
            let written = tokio::select! {
                written = write(queue, sink, coding) => written,
                () = end_of_writing.cancelled() => return,
                () = lingered(&over) => Ok(()),
            };
            if let Err(problem) = written {
                tracing::debug!(%problem, "a WebSocket cannot be written to any more");
                end_of_writing.cancel();
            }
        });
        Self {
            outbox,
            incoming,
            gone,
            _ended: ended.drop_guard(),
        }
    }

    /// What comes on a channel; only the first caller gets it.
    pub(crate) fn incoming(&mut self, channel: usize) -> Option<Incoming> {
        self.incoming.get_mut(channel)?.take()
    }

    /// What goes on a channel.
    pub(crate) fn outgoing(&self, channel: u32) -> Outgoing {
        Outgoing::new(channel, self.outbox.clone())
    }

    /// Cancelled when the client is gone.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// Says that nothing more comes. What was sent before arrives.
    pub(crate) async fn close(self) {
        let _ = self.outbox.send(Packet::GoAway(0, 0)).await;
    }
}

async fn read(mut stream: SplitStream<Socket>, coding: Coding, mut inlets: Vec<Option<Inlet>>) {
    while let Some(Ok(message)) = stream.next().await {
        let payload = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => Bytes::from(text),
            Message::Close(_) => return,
            _ => continue,
        };
        match decode(coding, payload) {
            Some((CLOSE, ended)) => {
                if let Some(slot) = ended
                    .first()
                    .and_then(|channel| inlets.get_mut(usize::from(*channel)))
                {
                    *slot = None;
                }
            }
            Some((channel, bytes)) => {
                if let Some(Some(inlet)) = inlets.get(usize::from(channel)) {
                    inlet.put(bytes).await;
                }
            }
            None => return tracing::debug!("a WebSocket message that cannot be read"),
        }
    }
}

/// Channel and bytes of a message; none when it cannot be read.
pub(crate) fn decode(coding: Coding, mut payload: Bytes) -> Option<(u8, Bytes)> {
    if payload.is_empty() {
        // Go's clients may send them; they mean nothing.
        return Some((CLOSE, Bytes::new()));
    }
    let channel = payload.split_to(1)[0];
    match coding {
        Coding::Binary => Some((channel, payload)),
        Coding::Base64 => {
            let channel = char::from(channel).to_digit(10)?;
            let bytes = STANDARD.decode(&payload).ok()?;
            Some((u8::try_from(channel).ok()?, Bytes::from(bytes)))
        }
    }
}

fn encode(coding: Coding, channel: u32, bytes: &[u8]) -> Message {
    let channel = u8::try_from(channel).unwrap_or(CLOSE);
    match coding {
        Coding::Binary => {
            let mut payload = BytesMut::with_capacity(bytes.len() + 1);
            payload.put_u8(channel);
            payload.put_slice(bytes);
            Message::Binary(payload.freeze())
        }
        Coding::Base64 => {
            let mut text = char::from(b'0' + channel % 10).to_string();
            STANDARD.encode_string(bytes, &mut text);
            Message::Text(Utf8Bytes::from(text))
        }
    }
}

async fn write(
    mut queue: mpsc::Receiver<Packet>,
    mut sink: SplitSink<Socket, Message>,
    coding: Coding,
) -> Result<(), Error> {
    while let Some(packet) = queue.recv().await {
        match packet {
            Packet::Data(channel, bytes) => sink.feed(encode(coding, channel, &bytes)).await?,
            Packet::GoAway(..) => {
                let frame = CloseFrame {
                    code: CloseCode::Normal,
                    reason: Utf8Bytes::default(),
                };
                sink.send(Message::Close(Some(frame))).await?;
                return sink.close().await;
            }
            // A client learns the end of a channel with that of the connection; the rest is SPDY's.
            _ => {}
        }
        if queue.is_empty() {
            sink.flush().await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_codings_go_both_ways(channel in 0u32..10, bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for coding in [Coding::Binary, Coding::Base64] {
                let payload = match encode(coding, channel, &bytes) {
                    Message::Binary(payload) => payload,
                    Message::Text(text) => Bytes::from(text),
                    other => panic!("{other:?}"),
                };
                let (found, payload) = decode(coding, payload).expect("our own");
                prop_assert_eq!((u32::from(found), payload.as_ref()), (channel, bytes.as_slice()));
            }
        }

        #[test]
        fn no_message_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for coding in [Coding::Binary, Coding::Base64] {
                let _ = decode(coding, Bytes::from(bytes.clone()));
            }
        }
    }
}
