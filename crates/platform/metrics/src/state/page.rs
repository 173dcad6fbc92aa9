//! The page, made while it is being read.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream;
use prometheus_client::encoding::prometheus_text::encode;
use toolforge_exposition::{MEDIA_TYPE, Page};

use super::State;
use super::lines::Family;
use super::table::Row;
use crate::own::OBJECTS;

/// Pieces of the page are about so many bytes: a slow reader holds one of them.
const PIECE_BYTES: usize = 256 << 10;

/// All figures as of now.
pub(crate) fn page(state: &State) -> Response {
    let pieces = stream::iter(pieces(state).map(Ok::<_, Infallible>));
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], Body::from_stream(pieces)).into_response()
}

/// The page in pieces, each made when it is asked for.
fn pieces(state: &State) -> impl Iterator<Item = Bytes> + Send + use<> {
    let kinds = state.tables.iter();
    let mut work: VecDeque<Work> = kinds
        .map(|table| Work {
            families: table.families(),
            rows: table.rows(),
            family: 0,
            row: 0,
        })
        .collect();
    let mut last = Some(own(state));
    std::iter::from_fn(move || {
        let mut piece = String::with_capacity(PIECE_BYTES + (PIECE_BYTES >> 2));
        while piece.len() < PIECE_BYTES {
            match work.front_mut() {
                Some(front) => {
                    if front.is_done() {
                        work.pop_front();
                    } else {
                        front.write(&mut piece);
                    }
                }
                None => match last.take() {
                    Some(own) => piece.push_str(&own),
                    None => break,
                },
            }
        }
        (!piece.is_empty()).then(|| Bytes::from(piece))
    })
}

/// How far the page of one kind has come.
struct Work {
    families: &'static [Family],
    rows: Vec<Arc<Row>>,
    family: usize,
    row: usize,
}

impl Work {
    fn is_done(&self) -> bool {
        self.family >= self.families.len()
    }

    /// Writes until the piece is full or the family is done.
    fn write(&mut self, piece: &mut String) {
        if self.row == 0 {
            let family = self.families[self.family];
            let mut head = Page::default();
            head.family(family.name, family.kind, family.help);
            piece.push_str(&head.into_text());
        }
        while let Some(row) = self.rows.get(self.row) {
            piece.push_str(row.family(self.family));
            self.row += 1;
            if piece.len() >= PIECE_BYTES {
                break;
            }
        }
        if self.row >= self.rows.len() {
            self.family += 1;
            self.row = 0;
        }
    }
}

/// What the component says of itself.
fn own(state: &State) -> String {
    let mut page = Page::default();
    page.family(OBJECTS.name, OBJECTS.kind, OBJECTS.help);
    for table in &state.tables {
        page.sample(OBJECTS.name, &[("resource", table.plural())], table.rows().len());
    }
    let mut text = page.into_text();
    // Writing into a String cannot fail.
    let _ = encode(&mut text, &state.own);
    text
}

#[cfg(test)]
mod tests;
