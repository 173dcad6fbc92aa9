//! A body, taken out of its framing piece by piece.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::{
    chunked::{ChunkError, Chunked},
    framing::Length,
};

/// What is next of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Some of it; never empty.
    Data(Bytes),
    /// Fields after the last chunk; the end comes next.
    Trailers(HeaderMap),
    /// Nothing as yet: more bytes are wanted.
    Wanting,
    /// There is no more.
    End,
}

/// What is still to come of a body.
#[derive(Debug)]
pub struct Body {
    left: Left,
}

#[derive(Debug)]
enum Left {
    Nothing,
    Known(u64),
    Chunked(Box<Chunked>),
    UntilClose,
}

impl Body {
    /// The whole of a body.
    pub fn new(length: Length) -> Self {
        let left = match length {
            Length::Empty | Length::Known(0) => Left::Nothing,
            Length::Known(length) => Left::Known(length),
            Length::Chunked => Left::Chunked(Box::default()),
            Length::UntilClose => Left::UntilClose,
        };
        Self { left }
    }

    /// Whether everything has come.
    pub fn has_ended(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    /// How many bytes are still to come, where that is known.
    pub fn left_bytes(&self) -> Option<u64> {
        match self.left {
            Left::Nothing => Some(0),
            Left::Known(left) => Some(left),
            Left::Chunked(_) | Left::UntilClose => None,
        }
    }

    /// Takes the next piece from what was read, without copying it.
    ///
    /// # Errors
    /// When the framing is broken. Nothing after that can be trusted: the connection has to end.
    pub fn take(&mut self, read: &mut BytesMut) -> Result<Piece, ChunkError> {
        let piece = match &mut self.left {
            Left::Nothing => Piece::End,
            Left::UntilClose => data(read, u64::MAX),
            Left::Known(left) => {
                let piece = data(read, *left);
                if let Piece::Data(data) = &piece {
                    *left -= data.len() as u64;
                }
                piece
            }
            Left::Chunked(chunked) => chunked.take(read)?,
        };
        let is_over = match &self.left {
            Left::Known(left) => *left == 0,
            Left::Chunked(_) => matches!(piece, Piece::End),
            Left::Nothing | Left::UntilClose => false,
        };
        if is_over {
            self.left = Left::Nothing;
        }
        Ok(piece)
    }

    /// Whether a connection that ends here ends the body too, rather than breaking it off.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.left, Left::Nothing | Left::UntilClose)
    }
}

/// At most so many of the bytes.
pub(crate) fn data(read: &mut BytesMut, limit: u64) -> Piece {
    let length = usize::try_from(limit).map_or(read.len(), |limit| limit.min(read.len()));
    if length == 0 {
        Piece::Wanting
    } else {
        Piece::Data(read.split_to(length).freeze())
    }
}
