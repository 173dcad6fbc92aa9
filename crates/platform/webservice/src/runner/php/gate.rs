//! The way of a request to PHP, and of the answer back: both at once, for a script may answer before it has
//! read everything.

use std::{
    io,
    path::{Path, PathBuf},
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use bytes::BytesMut;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    sync::mpsc,
};
use tokio_util::{io::ReaderStream, task::AbortOnDropHandle};
use toolforge_serve::Peer;

use super::{
    cgi::{self, HEAD_BYTES, Head},
    fastcgi::{self, CONTENT_BYTES, Record, Stream},
};
use crate::runner::site::{AsItIs, Script};

/// Pieces of an answer that may wait for a visitor.
const WAITING_PIECES: usize = 4;
/// A body of unknown length is gathered on disk, up to the limit that the gateway has for all (facts 5.2).
const GATHERED_BYTES: u64 = 128 << 20;

/// Where PHP listens.
#[derive(Debug)]
pub(in crate::runner) struct Gate {
    socket: PathBuf,
}

impl Gate {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Has a script of the site answer.
    pub(in crate::runner) async fn answer(&self, root: &Path, script: &Script, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let (length, body) = match measured(&parts, body).await {
            Ok(measured) => measured,
            Err(status) => return (status, "The body cannot be taken.\n").into_response(),
        };
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.address.ip());
        let variables = cgi::variables(root, script, &parts, length, peer);
        match self.ask(&variables, body).await {
            Ok((head, first, reply)) => respond(&parts.method, head, first, reply),
            Err(reason) => {
                anstream::eprintln!(
                    "PHP gave no answer for {}: {reason}",
                    String::from_utf8_lossy(&script.name)
                );
                (
                    StatusCode::BAD_GATEWAY,
                    "PHP gave no answer; the tool's log says why.\n",
                )
                    .into_response()
            }
        }
    }

    async fn ask(&self, variables: &[(String, Vec<u8>)], body: Body) -> Result<(Head, Bytes, Reply), String> {
        let connection = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| error.to_string())?;
        let (read, write) = connection.into_split();
        let mut start = BytesMut::new();
        fastcgi::begin(&mut start);
        let pairs = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()));
        fastcgi::params(&mut start, pairs);
        let sending = AbortOnDropHandle::new(tokio::spawn(send(write, start, body)));
        let mut reply = Reply {
            read,
            buffer: BytesMut::new(),
            ended: false,
            _sending: sending,
        };
        let mut text = BytesMut::new();
        loop {
            if let Some(head) = cgi::head(&text)? {
                let first = text.split_off(head.length).freeze();
                return Ok((head, first, reply));
            }
            if text.len() > HEAD_BYTES {
                return Err("the head of its answer has no end".to_owned());
            }
            match reply.next().await.map_err(|error| error.to_string())? {
                Some(piece) => text.extend_from_slice(&piece),
                None => return Err("it ended before it answered".to_owned()),
            }
        }
    }
}

/// Sends all of a request. That PHP does not want to read all of it is no failure.
async fn send(mut write: OwnedWriteHalf, mut start: BytesMut, body: Body) -> io::Result<()> {
    let mut body = body.into_data_stream();
    while let Some(piece) = body.next().await {
        // With half of a body a script would do half of its work.
        let piece = piece.map_err(io::Error::other)?;
        for part in piece.chunks(CONTENT_BYTES) {
            fastcgi::piece(&mut start, Stream::Stdin, part);
            write.write_all(&start).await?;
            start.clear();
        }
    }
    fastcgi::piece(&mut start, Stream::Stdin, &[]);
    write.write_all(&start).await?;
    // The other half is not closed: PHP would take that for a visitor who went away.
    std::future::pending().await
}

/// What comes back.
struct Reply {
    read: OwnedReadHalf,
    buffer: BytesMut,
    ended: bool,
    _sending: AbortOnDropHandle<io::Result<()>>,
}

impl Reply {
    /// The next piece of the answer; what is for the log goes there.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.ended {
            match fastcgi::next(&mut self.buffer).map_err(io::Error::other)? {
                Some(Record::Stdout(piece)) if !piece.is_empty() => return Ok(Some(piece)),
                Some(Record::Stderr(text)) if !text.is_empty() => {
                    anstream::eprintln!("{}", String::from_utf8_lossy(&text).trim_end());
                }
                Some(Record::End { accepted: false }) => return Err(io::Error::other("it took no request")),
                Some(Record::End { accepted: true }) => self.ended = true,
                Some(_) => {}
                None => {
                    if self.read.read_buf(&mut self.buffer).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
        Ok(None)
    }
}

fn respond(method: &Method, head: Head, first: Bytes, mut reply: Reply) -> Response {
    let (say, pieces) = mpsc::channel::<io::Result<Bytes>>(WAITING_PIECES);
    let silent = *method == Method::HEAD;
    let reading = tokio::spawn(async move {
        if !silent && !first.is_empty() && say.send(Ok(first)).await.is_err() {
            return;
        }
        loop {
            let piece = tokio::select! {
                // The visitor went away, and the script is told by the end of the connection.
                () = say.closed(), if !silent => return,
                piece = reply.next() => piece,
            };
            match piece {
                Ok(None) => return,
                Ok(Some(_)) if silent => {}
                Ok(Some(piece)) => {
                    if say.send(Ok(piece)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    anstream::eprintln!("PHP broke off an answer: {error}");
                    let _ = say.send(Err(error)).await;
                    return;
                }
            }
        }
    });
    drop(reading);
    let body = if silent {
        Body::empty()
    } else {
        let stream = futures::stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
        Body::from_stream(stream.boxed())
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    // A script may send a line now and then, which must not wait in an encoder.
    answer.extensions_mut().insert(AsItIs);
    answer
}

/// A body with its length, which CGI tells beforehand: what does not say it is gathered first.
async fn measured(parts: &Parts, body: Body) -> Result<(u64, Body), StatusCode> {
    if let Some(length) = parts.headers.get(header::CONTENT_LENGTH) {
        let length = length.to_str().ok().and_then(|text| text.parse().ok());
        return length.map(|length| (length, body)).ok_or(StatusCode::BAD_REQUEST);
    }
    if !parts.headers.contains_key(header::TRANSFER_ENCODING) {
        return Ok((0, body));
    }
    gathered(body).await
}

async fn gathered(body: Body) -> Result<(u64, Body), StatusCode> {
    let full = |error: io::Error| {
        anstream::eprintln!("a body cannot be kept: {error}");
        StatusCode::INSUFFICIENT_STORAGE
    };
    let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(full)?);
    let mut length = 0;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.try_next().await.map_err(|_| StatusCode::BAD_REQUEST)? {
        length += piece.len() as u64;
        if length > GATHERED_BYTES {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        file.write_all(&piece).await.map_err(full)?;
    }
    file.rewind().await.map_err(full)?;
    Ok((length, Body::from_stream(ReaderStream::new(file))))
}
