//! A visitor who writes frames of its own making.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::scene::{DEADLINE, Scene};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;

/// Codes of errors (RFC 9113 7).
pub(super) const PROTOCOL: u32 = 1;
pub(super) const FLOW_CONTROL: u32 = 3;
pub(super) const STREAM_CLOSED: u32 = 5;
pub(super) const FRAME_SIZE: u32 = 6;
pub(super) const REFUSED: u32 = 7;
pub(super) const COMPRESSION: u32 = 9;
pub(super) const CALM: u32 = 11;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered with this status.
    Answered(u16),
    /// It was reset, with this code.
    Reset(u32),
    /// The connection ended, with this code.
    Gone(u32),
    /// The connection ended without a word.
    Closed,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

pub(super) struct Peer {
    stream: TlsStream<TcpStream>,
}

impl Peer {
    /// A connection on which nothing was said.
    pub(super) async fn silent(scene: &Scene) -> Self {
        let stream = scene.http2("alpha").await;
        Self { stream }
    }

    /// A connection that began as it should, with these settings.
    pub(super) async fn with(scene: &Scene, settings: &[(u16, u32)]) -> Self {
        let mut peer = Self::silent(scene).await;
        peer.write(&[PREFACE, &self::settings(settings)].concat()).await;
        peer
    }

    pub(super) async fn new(scene: &Scene) -> Self {
        Self::with(scene, &[]).await
    }

    /// Writes these bytes; the other side may have left.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// Writes these bytes, unless they are not taken within this time: then the other side has had enough for now.
    pub(super) async fn is_taken(&mut self, bytes: &[u8], within: Duration) -> bool {
        matches!(timeout(within, self.stream.write_all(bytes)).await, Ok(Ok(())))
    }

    /// The next frame; nothing at the end.
    pub(super) async fn frame(&mut self) -> Option<Frame> {
        let reading = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.ok()?;
            let [high, middle, low, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some(Frame {
                kind,
                flags,
                stream: u32::from_be_bytes(stream),
                payload,
            })
        };
        timeout(DEADLINE, reading).await.expect("no frame came in time")
    }

    /// What becomes of this stream.
    pub(super) async fn outcome(&mut self, stream: u32) -> Outcome {
        while let Some(frame) = self.frame().await {
            match frame.kind {
                HEADERS if frame.stream == stream => return Outcome::Answered(status(&frame.payload)),
                RST_STREAM if frame.stream == stream => return Outcome::Reset(number(&frame.payload)),
                GOAWAY if number(&frame.payload[4..]) != 0 => {
                    return Outcome::Gone(number(&frame.payload[4..]));
                }
                _ => {}
            }
        }
        Outcome::Closed
    }

    /// Whether the connection still serves.
    pub(super) async fn serves(&mut self, stream: u32) -> bool {
        let request = frame(HEADERS, END_STREAM | END_HEADERS, stream, &get());
        self.write(&request).await;
        self.outcome(stream).await == Outcome::Answered(200)
    }
}

/// A frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A frame of SETTINGS.
pub(super) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in settings {
        payload.extend_from_slice(&name.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, &payload)
}

/// The fields of a request that nobody can mind.
pub(super) fn get() -> Vec<u8> {
    fields(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "alpha.toolforge.test"),
    ])
}

/// Fields as literals without indexing, so that they may be anything (RFC 7541 6.2.2).
pub(super) fn fields<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            integer(text.len(), &mut block);
            block.extend_from_slice(text);
        }
    }
    block
}

/// A number in seven bits and as many more as it needs (RFC 7541 5.1).
fn integer(mut number: usize, block: &mut Vec<u8>) {
    if number < 127 {
        block.push(u8::try_from(number).unwrap());
        return;
    }
    block.push(127);
    number -= 127;
    while number >= 128 {
        block.push(u8::try_from(number % 128).unwrap() | 128);
        number /= 128;
    }
    block.push(u8::try_from(number).unwrap());
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

/// The status, which stands first: from the static table, or as digits in Huffman's code, or plain.
fn status(block: &[u8]) -> u16 {
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // A change of the table's size may stand before it.
    let start = block.iter().position(|byte| byte & 0xe0 != 0x20).unwrap();
    let block = &block[start..];
    if block[0] & 0x80 != 0 {
        return KNOWN[usize::from(block[0] & 0x7f) - 8];
    }
    let (length, rest) = (block[1] & 0x7f, &block[2..]);
    let rest = &rest[..usize::from(length)];
    if block[1] & 0x80 == 0 {
        return std::str::from_utf8(rest).unwrap().parse().unwrap();
    }
    let bits: Vec<u8> = rest
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let take = |count: usize| {
            bits[at..at + count]
                .iter()
                .fold(0, |all, bit| all << 1 | u16::from(*bit))
        };
        let (digit, length) = if take(5) < 3 {
            (take(5), 5)
        } else {
            (take(6) - 0x19 + 3, 6)
        };
        status = status * 10 + digit;
        at += length;
    }
    status
}
