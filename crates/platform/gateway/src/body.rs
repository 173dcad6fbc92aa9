//! The bodies of answers: our own, and those of tools, which give their connection back when they have passed. Nothing
//! is gathered: a frame is asked for when the visitor can take it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit};
use toolforge_http1::{ChunkError, Piece};

use crate::{
    compression::{body::CompressedBody, encoder::Encoder},
    http1::tool::{Answer, Connection},
    http2::{
        tool::StreamBody,
        visitor::{Did, did},
    },
    pool::Pool,
    seen::{record::Record, tally::Event},
};

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The other side broke off.
    #[error("the body broke off")]
    Broken(#[source] io::Error),
    /// The other side sent something that is no body.
    #[error("the body is malformed")]
    Malformed(#[source] ChunkError),
    /// It is not as long as was said.
    #[error("the body is not as long as was said")]
    Length,
    /// The visitor sent more than a request may have.
    #[error("the request is larger than the limit")]
    TooLarge,
    /// The visitor sent nothing for too long.
    #[error("the visitor sent nothing for too long")]
    Silent,
    /// The tool sent nothing for too long.
    #[error("the tool sent nothing for too long")]
    Idle,
    /// It could not be compressed.
    #[error("the body cannot be compressed")]
    Compression(#[source] io::Error),
}

/// The body of an answer on its way to the visitor.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    source: Source,
    record: Option<Box<Record>>,
}

/// Where a body comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Of our own making.
    Own(Option<Bytes>),
    /// From a tool.
    Tool(ToolBody),
    /// From a tool over HTTP/2.
    Stream(Box<StreamBody>),
    /// From a tool, compressed.
    Compressed(Box<CompressedBody>),
}

impl ResponseBody {
    /// A body of our own making.
    pub(crate) fn own(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        Self {
            source: Source::Own((!text.is_empty()).then_some(text)),
            record: None,
        }
    }

    /// The body of a tool's answer.
    pub(crate) fn tool(body: ToolBody) -> Self {
        Self {
            source: Source::Tool(body),
            record: None,
        }
    }

    /// The body of a tool's answer over HTTP/2.
    pub(crate) fn stream(body: StreamBody) -> Self {
        Self {
            source: Source::Stream(Box::new(body)),
            record: None,
        }
    }

    /// The body compressed.
    pub(crate) fn compressed(mut self, encoder: Encoder, desk: OwnedSemaphorePermit) -> Self {
        self.source = Source::Compressed(Box::new(CompressedBody::new(self.source, encoder, desk)));
        self
    }

    /// Notes in this record what becomes of the body.
    pub(crate) fn recorded(mut self, record: Record) -> Self {
        self.record = Some(Box::new(record));
        self
    }

    /// The endpoint that the body comes from.
    pub(crate) fn endpoint(&self) -> Option<SocketAddr> {
        self.source.endpoint()
    }

    /// The tool's connection without HTTP, and what was read of it; for answers that switch to something else.
    pub(crate) fn into_connection(self) -> Option<(TcpStream, Bytes)> {
        match self.source {
            Source::Own(_) | Source::Stream(_) | Source::Compressed(_) => None,
            Source::Tool(body) => body.connection.map(|connection| connection.into_parts()),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = this.source.poll(context) else {
            did(Did::Wait);
            return Poll::Pending;
        };
        did(Did::Give);
        if let Some(record) = &mut this.record {
            match &frame {
                Some(Ok(frame)) => record.sent(frame.data_ref().map_or(0, Bytes::len)),
                Some(Err(_)) => record.happened(Event::CutShort),
                None => {}
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.has_ended()
    }

    fn size_hint(&self) -> SizeHint {
        let length = match &self.source {
            Source::Own(text) => Some(text.as_ref().map_or(0, |text| text.len() as u64)),
            Source::Tool(body) => body.left.left_bytes(),
            Source::Stream(body) => body.left_bytes(),
            Source::Compressed(_) => None,
        };
        length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Source {
    /// The next frame.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Tool(body) => body.poll(context),
            Self::Stream(body) => body.poll(context),
            Self::Compressed(body) => body.poll(context),
        }
    }

    /// The endpoint that it comes from.
    pub(crate) fn endpoint(&self) -> Option<SocketAddr> {
        match self {
            Self::Own(_) => None,
            Self::Tool(body) => Some(body.endpoint),
            Self::Stream(body) => Some(body.endpoint),
            Self::Compressed(body) => body.source().endpoint(),
        }
    }

    fn has_ended(&self) -> bool {
        match self {
            Self::Own(text) => text.is_none(),
            Self::Tool(body) => body.left.has_ended(),
            Self::Stream(body) => body.has_ended(),
            Self::Compressed(body) => body.has_ended(),
        }
    }
}

/// A tool's body, together with the connection over which it comes.
#[derive(Debug)]
pub(crate) struct ToolBody {
    /// Nothing once it was given back.
    connection: Option<Box<Connection>>,
    left: toolforge_http1::Body,
    keeps_alive: bool,
    endpoint: SocketAddr,
    home: Arc<Pool>,
}

impl ToolBody {
    /// What an endpoint answered; its connection goes back to the pool when the body has passed.
    pub(crate) fn new(answer: Answer, home: Arc<Pool>, endpoint: SocketAddr) -> Self {
        let mut body = Self {
            connection: Some(answer.connection),
            left: answer.left,
            keeps_alive: answer.keeps_alive,
            endpoint,
            home,
        };
        if body.keeps_alive && body.left.has_ended() {
            body.give_back();
        }
        body
    }

    /// The next frame.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(None);
        };
        let piece = ready!(connection.poll_piece(&mut self.left, context));
        if self.left.has_ended() || matches!(piece, Ok(Piece::End)) {
            self.give_back();
        }
        Poll::Ready(match piece {
            Ok(Piece::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Ok(Piece::End | Piece::Wanting) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// Gives the connection back if it can take another request, and closes it otherwise.
    fn give_back(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if connection.rest() && self.keeps_alive {
            self.home.put(self.endpoint, connection);
        }
    }
}
