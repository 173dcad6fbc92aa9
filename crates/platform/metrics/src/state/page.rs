//! The page, made while it is being read.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures::stream;
use prometheus_client::encoding::prometheus_text::encode;
use toolforge_exposition::{MEDIA_TYPE, Page};

use super::State;
use super::lines::Family;
use crate::own::OBJECTS;

/// Pieces smaller than this are put together: each costs a header of its own on the wire.
const SMALL_BYTES: usize = 4 << 10;
/// What is put together is at most about so long.
const PIECE_BYTES: usize = 64 << 10;

/// All figures as of now.
pub(crate) fn page(state: &State) -> Response {
    let pieces = stream::iter(pieces(state).map(Ok::<_, Infallible>));
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], Body::from_stream(pieces)).into_response()
}

/// The page in pieces, each made when it is asked for: blocks as they are, and what lies between them.
fn pieces(state: &State) -> impl Iterator<Item = Bytes> + Send + use<> {
    let kinds: Vec<_> = state
        .tables
        .iter()
        .map(|table| (table.families(), table.blocks()))
        .collect();
    let lines = kinds.into_iter().flat_map(|(families, blocks)| {
        families.iter().enumerate().flat_map(move |(at, family)| {
            let blocks = blocks.clone().into_iter();
            std::iter::once(head(family)).chain(blocks.map(move |block| block.family(at)))
        })
    });
    joined(lines.chain(std::iter::once(Bytes::from(own(state)))))
}

/// The same bytes in fewer pieces: small ones are put together.
fn joined(pieces: impl Iterator<Item = Bytes> + Send) -> impl Iterator<Item = Bytes> + Send {
    let mut pieces = pieces.fuse();
    let mut whole = None;
    std::iter::from_fn(move || {
        if let Some(whole) = whole.take() {
            return Some(whole);
        }
        let mut small = BytesMut::new();
        for piece in pieces.by_ref() {
            if piece.len() >= SMALL_BYTES {
                if small.is_empty() {
                    return Some(piece);
                }
                whole = Some(piece);
                break;
            }
            small.extend_from_slice(&piece);
            if small.len() >= PIECE_BYTES {
                break;
            }
        }
        (!small.is_empty()).then(|| small.freeze())
    })
}

/// What stands before the lines of a family.
fn head(family: &Family) -> Bytes {
    let mut head = Page::default();
    head.family(family.name, family.kind, family.help);
    Bytes::from(head.into_text())
}

/// What the component says of itself.
fn own(state: &State) -> String {
    let mut page = Page::default();
    page.family(OBJECTS.name, OBJECTS.kind, OBJECTS.help);
    for table in &state.tables {
        page.sample(OBJECTS.name, &[("resource", table.plural())], table.objects());
    }
    let mut text = page.into_text();
    // Writing into a String cannot fail.
    let _ = encode(&mut text, &state.own);
    text
}

#[cfg(test)]
mod tests;
