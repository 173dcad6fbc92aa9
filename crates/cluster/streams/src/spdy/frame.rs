//! Frames: bytes to values and back. Data comes in pieces as it arrives, so that a long frame needs no memory.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio_util::codec::Decoder;

/// The version in control frames.
const VERSION: u16 = 3;
/// The bit that sets control frames apart, and what remains of a number without it.
const CONTROL: u32 = 1 << 31;
const NUMBER: u32 = CONTROL - 1;
/// Length of what every frame begins with.
const HEAD_BYTES: usize = 8;
/// Longest control frame that is read, in bytes; headers of these protocols are a few dozen.
const CONTROL_BYTES: usize = 16 << 10;
/// Longest piece of data that is given on at once, in bytes.
const PIECE_BYTES: usize = 32 << 10;
/// The flag that ends a stream in its sender's direction.
const FIN: u8 = 1;
/// Nothing will come back on the stream.
const UNIDIRECTIONAL: u8 = 2;
/// The id of the setting that gives new streams their window.
pub(super) const INITIAL_WINDOW: u32 = 7;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const SETTINGS: u16 = 4;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
const WINDOW_UPDATE: u16 = 9;

/// Reasons for the end of a stream or of a connection.
pub(crate) mod reason {
    /// The connection ends as it should.
    pub(crate) const DONE: u32 = 0;
    /// The peer broke the protocol, on a stream or (the same number) on the connection.
    pub(crate) const PROTOCOL_ERROR: u32 = 1;
    /// A frame for a stream that is not there.
    pub(crate) const INVALID_STREAM: u32 = 2;
    /// The stream was not acted upon.
    pub(crate) const REFUSED_STREAM: u32 = 3;
    /// Flow control was violated.
    pub(crate) const FLOW_CONTROL_ERROR: u32 = 7;
}

/// A frame, or a piece of one that carries data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// Opens a stream, with its compressed headers.
    SynStream {
        id: u32,
        fin: bool,
        unidirectional: bool,
        block: Bytes,
    },
    /// Accepts a stream.
    SynReply { id: u32, fin: bool, block: Bytes },
    /// Ends a stream in both directions.
    Reset { id: u32, reason: u32 },
    /// Numbers about the connection, by id.
    Settings(Vec<(u32, u32)>),
    /// Asks for the same back.
    Ping(u32),
    /// No more streams after this one.
    GoAway { last: u32, reason: u32 },
    /// More headers.
    Headers { id: u32, fin: bool, block: Bytes },
    /// Lets the other side send so much more.
    WindowUpdate { id: u32, bytes: u32 },
    /// Data of a stream; with `fin` the last of it.
    Data { id: u32, fin: bool, bytes: Bytes },
    /// A kind of frame that is not known; to be passed over.
    Unknown,
}

/// What the peer sent is no SPDY/3.1.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a control frame of version {0}")]
    Version(u16),
    #[error("a control frame of {0} bytes")]
    TooLong(usize),
    #[error("a control frame of type {0} is cut short")]
    Short(u16),
    #[error("reading failed")]
    Read(#[from] std::io::Error),
}

/// Reads frames.
#[derive(Debug, Default)]
pub(super) struct FrameDecoder {
    /// The data frame that is under way: stream, whether it is the stream's last, and how many bytes are missing.
    open: Option<(u32, bool, usize)>,
}

impl Decoder for FrameDecoder {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, from: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        if let Some(open) = self.open {
            return Ok(self.piece(open, from));
        }
        let Some(head) = from.get(..HEAD_BYTES) else {
            return Ok(None);
        };
        let mut head = head;
        let (first, second) = (head.get_u32(), head.get_u32());
        let flags = second.to_be_bytes()[0];
        let length = usize::try_from(second & 0x00ff_ffff).unwrap_or(usize::MAX);
        if first & CONTROL == 0 {
            from.advance(HEAD_BYTES);
            let open = (first, flags & FIN != 0, length);
            self.open = Some(open);
            return Ok(self.piece(open, from));
        }
        let [_, _, high, low] = first.to_be_bytes();
        let kind = u16::from_be_bytes([high, low]);
        let version = u16::try_from((first & NUMBER) >> 16).unwrap_or_default();
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        if length > CONTROL_BYTES {
            return Err(FrameError::TooLong(length));
        }
        if from.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        from.advance(HEAD_BYTES);
        let body = from.split_to(length).freeze();
        control(kind, flags, body).map(Some)
    }
}

impl FrameDecoder {
    fn piece(&mut self, (id, fin, left): (u32, bool, usize), from: &mut BytesMut) -> Option<Frame> {
        let length = left.min(from.len()).min(PIECE_BYTES);
        if length == 0 && left > 0 {
            return None;
        }
        let left = left - length;
        self.open = (left > 0).then_some((id, fin, left));
        Some(Frame::Data {
            id,
            fin: fin && left == 0,
            bytes: from.split_to(length).freeze(),
        })
    }
}

fn control(kind: u16, flags: u8, mut body: Bytes) -> Result<Frame, FrameError> {
    let needed = match kind {
        SYN_STREAM => 10,
        RST_STREAM | GOAWAY | WINDOW_UPDATE => 8,
        SYN_REPLY | SETTINGS | PING | HEADERS => 4,
        _ => 0,
    };
    if body.len() < needed {
        return Err(FrameError::Short(kind));
    }
    let fin = flags & FIN != 0;
    Ok(match kind {
        SYN_STREAM => {
            let id = body.get_u32() & NUMBER;
            // The stream it belongs to, its priority and a slot for certificates mean nothing here.
            body.advance(6);
            Frame::SynStream {
                id,
                fin,
                unidirectional: flags & UNIDIRECTIONAL != 0,
                block: body,
            }
        }
        SYN_REPLY => Frame::SynReply {
            id: body.get_u32() & NUMBER,
            fin,
            block: body,
        },
        RST_STREAM => Frame::Reset {
            id: body.get_u32() & NUMBER,
            reason: body.get_u32(),
        },
        SETTINGS => settings(body)?,
        PING => Frame::Ping(body.get_u32()),
        GOAWAY => Frame::GoAway {
            last: body.get_u32() & NUMBER,
            reason: body.get_u32(),
        },
        HEADERS => Frame::Headers {
            id: body.get_u32() & NUMBER,
            fin,
            block: body,
        },
        WINDOW_UPDATE => Frame::WindowUpdate {
            id: body.get_u32() & NUMBER,
            bytes: body.get_u32() & NUMBER,
        },
        _ => Frame::Unknown,
    })
}

fn settings(mut body: Bytes) -> Result<Frame, FrameError> {
    let count = usize::try_from(body.get_u32()).unwrap_or(usize::MAX);
    if body.len() / 8 < count {
        return Err(FrameError::Short(SETTINGS));
    }
    // A byte of flags stands before each id.
    let entries = (0..count).map(|_| (body.get_u32() & 0x00ff_ffff, body.get_u32()));
    Ok(Frame::Settings(entries.collect()))
}

impl Frame {
    /// Writes the frame behind what is there.
    pub(super) fn encode(&self, to: &mut BytesMut) {
        match self {
            Self::SynStream {
                id,
                fin,
                unidirectional,
                block,
            } => {
                let flags = flag(*fin, FIN) | flag(*unidirectional, UNIDIRECTIONAL);
                head(to, SYN_STREAM, flags, 10 + block.len());
                to.put_u32(*id);
                to.put_u32(0);
                to.put_u16(0);
                to.put_slice(block);
            }
            Self::SynReply { id, fin, block } => {
                head(to, SYN_REPLY, flag(*fin, FIN), 4 + block.len());
                to.put_u32(*id);
                to.put_slice(block);
            }
            Self::Reset { id, reason } => pair(to, RST_STREAM, *id, *reason),
            Self::Settings(entries) => {
                head(to, SETTINGS, 0, 4 + 8 * entries.len());
                to.put_u32(u32::try_from(entries.len()).unwrap_or(u32::MAX));
                for (id, value) in entries {
                    to.put_u32(*id & 0x00ff_ffff);
                    to.put_u32(*value);
                }
            }
            Self::Ping(number) => {
                head(to, PING, 0, 4);
                to.put_u32(*number);
            }
            Self::GoAway { last, reason } => pair(to, GOAWAY, *last, *reason),
            Self::Headers { id, fin, block } => {
                head(to, HEADERS, flag(*fin, FIN), 4 + block.len());
                to.put_u32(*id);
                to.put_slice(block);
            }
            Self::WindowUpdate { id, bytes } => pair(to, WINDOW_UPDATE, *id, *bytes),
            Self::Data { id, fin, bytes } => {
                to.put_u32(*id & NUMBER);
                put_length(to, flag(*fin, FIN), bytes.len());
                to.put_slice(bytes);
            }
            Self::Unknown => {}
        }
    }
}

fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

fn pair(to: &mut BytesMut, kind: u16, first: u32, second: u32) {
    head(to, kind, 0, 8);
    to.put_u32(first);
    to.put_u32(second);
}

fn head(to: &mut BytesMut, kind: u16, flags: u8, length: usize) {
    to.put_u32(CONTROL | u32::from(VERSION) << 16 | u32::from(kind));
    put_length(to, flags, length);
}

fn put_length(to: &mut BytesMut, flags: u8, length: usize) {
    debug_assert!(length < 1 << 24, "we never send so much at once");
    let length = u32::try_from(length).unwrap_or_default() & 0x00ff_ffff;
    to.put_u32(u32::from(flags) << 24 | length);
}

#[cfg(test)]
mod tests;
