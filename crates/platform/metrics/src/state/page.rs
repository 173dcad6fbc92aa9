//! The page, made while it is being read.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures::stream;
use prometheus_client::encoding::prometheus_text::encode;
use toolforge_exposition::{MEDIA_TYPE, Page};
use toolforge_serve::takes_gzip;

use super::State;
use super::block::Block;
use super::gzip::{Deflater, Gzip};
use super::lines::Family;
use crate::own::OBJECTS;

/// Pieces smaller than this are put together: each costs a header of its own on the wire.
const SMALL_BYTES: usize = 4 << 10;
/// What is put together is at most about so long.
const PIECE_BYTES: usize = 64 << 10;

/// All figures as of now, in gzip for who takes it, as Prometheus does: what has not changed since somebody last asked is
/// there already.
pub(crate) fn page(state: &State, headers: &HeaderMap) -> Response {
    let told = [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        (header::VARY, "Accept-Encoding"),
    ];
    if takes_gzip(headers) {
        let body = body(deflated(state));
        return (told, [(header::CONTENT_ENCODING, "gzip")], body).into_response();
    }
    (told, body(pieces(state))).into_response()
}

/// The page in pieces, each made when it is asked for: blocks as they are, and what lies between them.
fn pieces(state: &State) -> impl Iterator<Item = Bytes> + Send + use<> {
    joined(parts(state).map(|part| match part {
        Part::Text(text) => text,
        Part::Family(block, at) => block.family(at),
    }))
}

/// The same as a gzip stream.
fn deflated(state: &State) -> impl Iterator<Item = Bytes> + Send + use<> {
    let (mut deflater, mut gzip) = (Deflater::default(), Gzip::default());
    let stream = parts(state).map(Some).chain([None]).map(move |part| match part {
        Some(Part::Text(text)) => gzip.add(&deflater.deflate(&text)),
        Some(Part::Family(block, at)) => block
            .deflated(at)
            .map(|piece| gzip.add(piece))
            .unwrap_or_default(),
        None => gzip.end(),
    });
    joined(std::iter::once(Gzip::header()).chain(stream))
}

/// What a page is made of.
enum Part {
    Text(Bytes),
    /// The lines of a block of one family, by its place.
    Family(Arc<Block>, usize),
}

fn parts(state: &State) -> impl Iterator<Item = Part> + Send + use<> {
    let kinds: Vec<_> = state
        .tables
        .iter()
        .map(|table| (table.families(), table.blocks()))
        .collect();
    let lines = kinds.into_iter().flat_map(|(families, blocks)| {
        families.iter().enumerate().flat_map(move |(at, family)| {
            let blocks = blocks.clone().into_iter();
            std::iter::once(Part::Text(head(family))).chain(blocks.map(move |block| Part::Family(block, at)))
        })
    });
    lines.chain([Part::Text(Bytes::from(own(state)))])
}

fn body(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)))
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
