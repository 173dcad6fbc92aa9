//! A file as an answer: type, ranges, conditions and compressed forms beside it.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use mime_guess::{Mime, mime};
use tower_http::services::ServeFile;

use super::found::File;

/// How much of a file is read at once.
const PIECE_BYTES: usize = 64 << 10;

pub(super) async fn answer(file: &File, mut request: Request) -> Response {
    if let Some(expected) = request.headers_mut().remove(header::IF_RANGE) {
        // Only a part of what the visitor has already; otherwise all of it (RFC 9110 13.1.5).
        let now = head_of(file, request.headers()).await;
        let same =
            [header::ETAG, header::LAST_MODIFIED].map(|name| now.headers().get(name) == Some(&expected));
        if !same.contains(&true) {
            request.headers_mut().remove(header::RANGE);
        }
    }
    let (parts, _) = request.into_parts();
    served(file, Request::from_parts(parts, Body::empty())).await
}

/// What a visitor with these wishes would get to know of it.
async fn head_of(file: &File, wishes: &HeaderMap) -> Response {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::HEAD;
    if let Some(accepted) = wishes.get(header::ACCEPT_ENCODING) {
        request
            .headers_mut()
            .insert(header::ACCEPT_ENCODING, accepted.clone());
    }
    served(file, request).await
}

async fn served(file: &File, request: Request) -> Response {
    let mut service = ServeFile::new_with_mime(&file.path, &media_type(file))
        .with_buf_chunk_size(PIECE_BYTES)
        // More than one range at once is answered with all of it.
        .ignore_multi_range_requests(true);
    for ending in &file.beside {
        service = match *ending {
            "br" => service.precompressed_br(),
            "zst" => service.precompressed_zstd(),
            _ => service.precompressed_gzip(),
        };
    }
    match service.try_call(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            anstream::eprintln!("{} may not be read by the tool", file.path.display());
            (StatusCode::FORBIDDEN, "This file may not be read.\n").into_response()
        }
        Err(error) => {
            anstream::eprintln!("{} cannot be read: {error}", file.path.display());
            (StatusCode::INTERNAL_SERVER_ERROR, "This file cannot be read.\n").into_response()
        }
    }
}

/// By its name; for text with the character set, where that is certain. A page in another one says so itself.
fn media_type(file: &File) -> Mime {
    let guessed = mime_guess::from_path(&file.name).first_or_octet_stream();
    let is_text = guessed.type_() == mime::TEXT
        || guessed.subtype() == mime::JAVASCRIPT
        || guessed.subtype() == mime::XML
        || guessed.suffix() == Some(mime::XML);
    if is_text && file.utf8 && guessed.get_param(mime::CHARSET).is_none() {
        return format!("{guessed}; charset=utf-8").parse().unwrap_or(guessed);
    }
    guessed
}
