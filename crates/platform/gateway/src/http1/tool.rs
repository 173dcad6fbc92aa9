//! HTTP/1.1 with a tool: one connection to one of its endpoints, over which requests go one after the other.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use tokio::{net::TcpStream, time::timeout};
use toolforge_annotations::Timeouts;
use toolforge_http1::{
    Body, EndOfHead, HeadError, Piece, ReadResponse, RequestFraming, encode_request, response,
};

use super::{
    Patience,
    outgoing::{Outgoing, SendError, Shape},
    reading::Reading,
};
use crate::{
    announcement::Announcement,
    body::BodyError,
    limits::{BODY_TIMEOUT, CONNECT_TIMEOUT, READ_TIMEOUT},
    request_body::RequestBody,
};

/// A connection to an endpoint.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    reading: Reading,
    outgoing: Outgoing,
    /// The body of the request that is being sent.
    request_body: RequestBody,
    patience: Patience,
    /// How long the tool may take with the request that is under way.
    timeouts: Timeouts,
    /// Who is waited for.
    awaited: Awaited,
    /// Whether the sending side broke: what the tool has said before is still worth reading.
    is_broken: bool,
}

/// Who is to do something next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// The tool is to take more of the request.
    ToolTakes,
    /// The tool is to say something.
    ToolSays,
    /// The visitor is to send more of the request, to a tool that has not answered yet.
    Visitor,
}

/// An answer, of which the body is still to come.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) connection: Box<Connection>,
    pub(crate) left: Body,
    /// Whether the connection takes another request after it.
    pub(crate) keeps_alive: bool,
}

/// Why there is no connection to an endpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// Nobody listens there, or the way there is closed.
    #[error("the endpoint cannot be reached")]
    Refused(#[source] io::Error),
    /// Nobody answered in time.
    #[error("the endpoint did not answer in time")]
    Timeout,
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// The connection ended or broke before the answer came.
    #[error("the endpoint broke off before it answered")]
    Broken(#[source] io::Error),
    /// What came is no answer.
    #[error("the endpoint answered with something that is not HTTP/1.1")]
    Head(#[source] HeadError),
    /// No answer in time.
    #[error("the endpoint did not answer in time")]
    Timeout,
    /// The visitor's body could not be passed on.
    #[error("the request's body could not be passed on")]
    Body(#[source] BodyError),
}

/// What a tool is asked, without the body.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// How long the tool may take, where that is not as for all.
    pub(crate) timeouts: Timeouts,
    /// With what the connection begins, where it may carry nothing else.
    pub(crate) announces: Option<Announcement>,
}

/// A new connection to the endpoint, on which nothing was said.
pub(crate) async fn connect(endpoint: SocketAddr, timeouts: Timeouts) -> Result<TcpStream, ConnectError> {
    let patience = timeouts.connect.unwrap_or(CONNECT_TIMEOUT);
    let connected = timeout(patience, TcpStream::connect(endpoint)).await;
    let stream = connected
        .map_err(|_| ConnectError::Timeout)?
        .map_err(ConnectError::Refused)?;
    // Small requests go out at once; failing to say so costs only time.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

impl Connection {
    /// A new connection to the endpoint, for this request.
    pub(crate) async fn open(endpoint: SocketAddr, asked: &Asked<'_>) -> Result<Box<Self>, ConnectError> {
        let mut connection = Box::new(Self {
            stream: connect(endpoint, asked.timeouts).await?,
            reading: Reading::default(),
            outgoing: Outgoing::default(),
            request_body: RequestBody::default(),
            patience: Patience::new(READ_TIMEOUT),
            timeouts: Timeouts::default(),
            awaited: Awaited::ToolTakes,
            is_broken: false,
        });
        if let Some(announcement) = asked.announces {
            let front = connection.outgoing.interject();
            front.extend_from_slice(&announcement.header(endpoint));
        }
        Ok(connection)
    }

    /// Whether the endpoint has neither closed the connection nor said anything on it unasked. `is_certain` asks the
    /// system rather than what it has told us so far.
    pub(crate) fn is_quiet(&self, is_certain: bool) -> bool {
        let is_nothing =
            |read: io::Result<usize>| matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        if is_certain {
            use rustix::net::{RecvFlags, recv};
            let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            let peeked = recv(&self.stream, &mut [0_u8; 1][..], flags);
            return is_nothing(peeked.map(|(count, _)| count).map_err(io::Error::from));
        }
        is_nothing(self.stream.try_read(&mut [0]))
    }

    /// Sends a request and reads the head of its answer. The connection then is with the body of the answer, and goes
    /// on sending where the tool answers before it has everything.
    pub(crate) async fn ask(
        mut self: Box<Self>,
        asked: &Asked<'_>,
        body: RequestBody,
    ) -> Result<Response<Answer>, AnswerError> {
        let (framing, shape) = framing(&body);
        self.request_body = body;
        self.timeouts = asked.timeouts;
        let head = self.outgoing.begin(shape);
        encode_request(asked.method, asked.target, asked.headers, framing, head);
        self.wait_for(Awaited::ToolTakes);
        let mut end = EndOfHead::default();
        let read = poll_fn(|context| self.poll_head(asked.method, &mut end, context)).await?;
        if self.awaited == Awaited::Visitor {
            self.wait_for(Awaited::ToolTakes);
        }
        let left = Body::new(read.length);
        let keeps_alive = read.keeps_alive
            && asked.announces.is_none()
            && read.response.status() != StatusCode::SWITCHING_PROTOCOLS;
        Ok(read.response.map(|()| Answer {
            connection: self,
            left,
            keeps_alive,
        }))
    }

    fn poll_head(
        &mut self,
        method: &Method,
        end: &mut EndOfHead,
        context: &mut Context<'_>,
    ) -> Poll<Result<ReadResponse, AnswerError>> {
        loop {
            if let Poll::Ready(Err(error)) = self.poll_request(false, context) {
                return Poll::Ready(Err(AnswerError::Body(error)));
            }
            if let Some(length) = end.find(&self.reading.bytes).map_err(AnswerError::Head)? {
                *end = EndOfHead::default();
                let head = self.reading.bytes.split_to(length).freeze();
                let read = response(method, &head).map_err(AnswerError::Head)?;
                let status = read.response.status();
                if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                    // Meant for the one who asked, which is us.
                    continue;
                }
                return Poll::Ready(Ok(read));
            }
            match self.reading.poll_more(&mut self.stream, context) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(AnswerError::Broken(io::ErrorKind::UnexpectedEof.into())));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(AnswerError::Broken(error))),
                Poll::Pending => {
                    return self.patience.poll_over(context).map(|()| {
                        Err(match self.awaited {
                            Awaited::Visitor => AnswerError::Body(BodyError::Silent),
                            Awaited::ToolTakes | Awaited::ToolSays => AnswerError::Timeout,
                        })
                    });
                }
            }
        }
    }

    /// Gives whoever is to do something next its time for that.
    fn wait_for(&mut self, awaited: Awaited) {
        self.awaited = awaited;
        let time = match awaited {
            Awaited::ToolTakes => self.timeouts.send.unwrap_or(READ_TIMEOUT),
            Awaited::ToolSays => self.timeouts.read.unwrap_or(READ_TIMEOUT),
            Awaited::Visitor => BODY_TIMEOUT,
        };
        self.patience.begin(time);
    }

    /// Who is to do something next: the tool as soon as the request has been sent, or has to be taken.
    fn next(&self, has_answered: bool) -> Awaited {
        if self.outgoing.is_done() {
            Awaited::ToolSays
        } else if self.outgoing.is_waiting() || has_answered {
            Awaited::ToolTakes
        } else {
            Awaited::Visitor
        }
    }

    /// Goes on sending the request; an error is the visitor's.
    fn poll_request(&mut self, has_answered: bool, context: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        if self.is_broken || self.outgoing.is_done() {
            return Poll::Ready(Ok(()));
        }
        let before = self.outgoing.written_bytes();
        let polled = self
            .outgoing
            .poll_send(&mut self.stream, &mut self.request_body, context);
        let awaited = self.next(has_answered);
        if self.outgoing.written_bytes() != before || awaited != self.awaited {
            self.wait_for(awaited);
        }
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(SendError::Body(error))) => Poll::Ready(Err(error)),
            Poll::Ready(Err(SendError::Connection(error))) => {
                tracing::trace!(%error, "the endpoint takes no more of the request");
                self.is_broken = true;
                self.wait_for(Awaited::ToolSays);
                Poll::Ready(Ok(()))
            }
        }
    }

    /// The next piece of the answer's body.
    pub(crate) fn poll_piece(
        &mut self,
        left: &mut Body,
        context: &mut Context<'_>,
    ) -> Poll<Result<Piece, BodyError>> {
        loop {
            if let Poll::Ready(Err(error)) = self.poll_request(true, context) {
                return Poll::Ready(Err(error));
            }
            match left.take(&mut self.reading.bytes) {
                Ok(Piece::Wanting) => {}
                Ok(piece) => return Poll::Ready(Ok(piece)),
                Err(error) => return Poll::Ready(Err(BodyError::Malformed(error))),
            }
            match self.reading.poll_more(&mut self.stream, context) {
                Poll::Ready(Ok(0)) if left.ends_with_connection() => return Poll::Ready(Ok(Piece::End)),
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(BodyError::Broken(io::ErrorKind::UnexpectedEof.into())));
                }
                Poll::Ready(Ok(_)) => self.wait_for(self.next(true)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(BodyError::Broken(error))),
                Poll::Pending => return self.patience.poll_over(context).map(|()| Err(BodyError::Idle)),
            }
        }
    }

    /// Makes the connection ready for the next request; false where there can be none.
    pub(crate) fn rest(&mut self) -> bool {
        let is_fit = !self.is_broken && self.outgoing.is_done() && self.reading.bytes.is_empty();
        self.request_body = RequestBody::default();
        self.outgoing.release();
        self.reading.release();
        is_fit
    }

    /// The connection without HTTP, and what was read of it.
    pub(crate) fn into_parts(self) -> (TcpStream, Bytes) {
        (self.stream, self.reading.bytes.freeze())
    }
}

fn framing(body: &RequestBody) -> (RequestFraming, Shape) {
    if body.is_empty() {
        return (RequestFraming::Empty, Shape::Nothing);
    }
    match http_body::Body::size_hint(body).exact() {
        Some(length) => (RequestFraming::Known(length), Shape::Plain(length)),
        None => (RequestFraming::Chunked, Shape::Chunks),
    }
}
