//! The body of a list: a head, the ready bytes of its objects, and a tail, joined piece by piece as the client takes
//! them.
//!
//! A client that reads slowly holds references to objects and one piece, never a copy of all of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use crate::store::Stored;

/// Size in bytes from which a piece is sent: some records of TLS, and few turns of the connection.
const PIECE_BYTES: usize = 64 << 10;

/// The objects of a list.
#[derive(Clone, Debug)]
pub(crate) enum Items {
    /// As they are stored.
    Stored(Vec<Arc<Stored>>),
    /// In a form of their own.
    Made(Vec<Bytes>),
}

impl Items {
    fn count(&self) -> usize {
        match self {
            Self::Stored(objects) => objects.len(),
            Self::Made(objects) => objects.len(),
        }
    }

    /// Bytes of all objects and of the commas between them.
    pub(crate) fn size(&self) -> usize {
        let bytes: usize = match self {
            Self::Stored(objects) => objects.iter().map(|stored| stored.length()).sum(),
            Self::Made(objects) => objects.iter().map(Bytes::len).sum(),
        };
        bytes + self.count().saturating_sub(1)
    }

    /// The pieces of the joined objects, from `next` on.
    pub(crate) fn append(&self, next: &mut usize, piece: &mut BytesMut) -> bool {
        while *next < self.count() {
            if *next > 0 {
                piece.extend_from_slice(b",");
            }
            match self {
                Self::Stored(objects) => objects[*next].append_json(piece),
                Self::Made(objects) => piece.extend_from_slice(&objects[*next]),
            }
            *next += 1;
            if piece.len() >= PIECE_BYTES {
                return true;
            }
        }
        false
    }
}

/// A list on its way to a client.
#[derive(Debug)]
pub(crate) struct ListBody {
    head: Bytes,
    items: Items,
    tail: &'static [u8],
    next: usize,
    left: usize,
}

impl ListBody {
    /// A list that begins with `head` and ends with `tail`.
    pub(crate) fn new(head: Bytes, items: Items, tail: &'static [u8]) -> Self {
        let left = head.len() + items.size() + tail.len();
        Self {
            head,
            items,
            tail,
            next: 0,
            left,
        }
    }

    fn piece(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        // An object may be larger than what is left of a piece.
        let mut piece = BytesMut::with_capacity(self.left.min(PIECE_BYTES + (PIECE_BYTES >> 2)));
        piece.extend_from_slice(&std::mem::take(&mut self.head));
        if !self.items.append(&mut self.next, &mut piece) {
            piece.extend_from_slice(self.tail);
        }
        self.left = self.left.saturating_sub(piece.len());
        Some(piece.freeze())
    }
}

impl Body for ListBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(items: Items) -> (Vec<usize>, Vec<u8>) {
        let mut body = ListBody::new(Bytes::from_static(b"["), items, b"]");
        let expected = body.left;
        let mut sizes = Vec::new();
        let mut all = Vec::new();
        while let Some(piece) = body.piece() {
            sizes.push(piece.len());
            all.extend_from_slice(&piece);
        }
        assert_eq!(all.len(), expected);
        (sizes, all)
    }

    #[test]
    fn joins_what_is_there() {
        assert_eq!(pieces(Items::Made(Vec::new())).1, b"[]");
        let two = vec![Bytes::from_static(b"1"), Bytes::from_static(b"2")];
        assert_eq!(pieces(Items::Made(two)).1, b"[1,2]");
    }

    #[test]
    fn a_long_list_comes_in_pieces() {
        let many = vec![Bytes::from(format!("\"{}\"", "x".repeat(998))); 200];
        let (sizes, all) = pieces(Items::Made(many));
        assert!(sizes.len() >= 3, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size < PIECE_BYTES + 1100), "{sizes:?}");
        let list: Vec<String> = serde_json::from_slice(&all).unwrap();
        assert_eq!((list.len(), all.len()), (200, 200 * 1001 + 1));
    }

    #[test]
    fn a_list_that_fills_its_last_piece_still_ends() {
        let exact = vec![Bytes::from(vec![b'1'; PIECE_BYTES - 1])];
        let (sizes, all) = pieces(Items::Made(exact));
        assert_eq!(all.last(), Some(&b']'));
        assert_eq!(sizes.len(), 2);
    }
}
