//! HTTP/1.1 with a visitor: requests are read one after the other, and answered.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, DATE},
};
use http_body::{Body as _, Frame};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::WaitForCancellationFutureOwned;
use toolforge_http1::{
    Body, CONTINUE, EndOfHead, FramingError, HeadError, Length, Piece, ReadRequest, ResponseFraming,
    encode_response, request,
};

use super::{
    Patience,
    outgoing::{Outgoing, SendError, Shape},
    reading::Reading,
    upload::{Bringer, Wish, upload},
};
use crate::{
    body::{BodyError, ResponseBody},
    limits::{HEAD_TIMEOUT, LINGER, WRITE_TIMEOUT},
    listen::Ends,
    page::own_page,
    request_body::{Visited, VisitorBody},
    rooms::Staying,
    seen::tally::Event,
    tunnel,
};

/// How much of further requests is read while one is being answered, in bytes: what is read tells that the visitor is
/// still there, and no more is needed of it.
const AHEAD_BYTES: usize = 16 * 1024;

/// How a client of HTTP/2 begins that knows beforehand what it will meet (RFC 9113 3.4).
const HTTP_2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What became of a connection.
#[derive(Debug)]
pub(crate) enum Ended<S> {
    /// It is over.
    Over,
    /// The visitor began with the preface of HTTP/2: these are its first bytes.
    Http2(S, Bytes),
}

/// A connection with a visitor.
struct Connection<S> {
    stream: S,
    reading: Reading,
    outgoing: Outgoing,
    patience: Patience,
    leaving: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Whether the answer to the present request has begun.
    has_begun: bool,
}

/// A request under way, besides what it is answered with.
struct UnderWay {
    method: Method,
    version: Version,
    keeps_alive: bool,
    /// The body that still comes.
    coming: Option<Coming>,
}

/// A body on its way in.
struct Coming {
    body: Body,
    bringer: Bringer,
    /// Whether the visitor waits to be told before it sends it.
    is_awaited: bool,
}

/// The visitor is gone, or nothing can be said to it any more.
#[derive(Debug)]
struct Gone;

/// Answers the requests of one connection until it ends, the visitor is silent for too long, or the gateway stops; a
/// request under way is answered first, and one that may be on its way is waited for. An upgraded connection lives on its
/// own until the gateway closes.
pub(crate) async fn converse<S, A, F>(stream: S, answer: A, ends: &Ends) -> Ended<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Box<Visited>) -> F + Send,
    F: Future<Output = Response<ResponseBody>> + Send,
{
    let mut connection = Connection {
        stream,
        reading: Reading::default(),
        outgoing: Outgoing::default(),
        patience: Patience::new(HEAD_TIMEOUT),
        leaving: Box::pin(ends.ending.leaving.clone().cancelled_owned()),
        has_begun: false,
    };
    loop {
        let mut end = EndOfHead::default();
        connection.patience.begin(HEAD_TIMEOUT);
        connection.has_begun = false;
        let read = match poll_fn(|context| connection.poll_request(&mut end, context)).await {
            Ok(Next::Request(read)) => read,
            Ok(Next::Http2) => return Ended::Http2(connection.stream, connection.reading.bytes.freeze()),
            Ok(Next::Nothing) => return Ended::Over,
            Err(error) => {
                ends.tally.happened(Event::Malformed);
                Box::pin(connection.refuse(error, ends)).await;
                return Ended::Over;
            }
        };
        let (mut under_way, request) = begin(*read);
        // On the heap, so that connections that wait for a request stay small.
        let mut answered = Box::pin(answer(request));
        let answered =
            poll_fn(|context| connection.poll_answer(answered.as_mut(), &mut under_way, context)).await;
        let Ok(response) = answered else {
            return Ended::Over;
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            Box::pin(connection.switch(response, ends)).await;
            return Ended::Over;
        }
        under_way.keeps_alive &= !ends.ending.stopping.is_cancelled();
        if connection.say(response, &mut under_way).await.is_err() {
            return Ended::Over;
        }
        if !under_way.keeps_alive || under_way.coming.is_some() {
            connection.close(under_way.coming.is_some()).await;
            return Ended::Over;
        }
        connection.outgoing.release();
        connection.reading.release();
    }
}

enum Next {
    Request(Box<ReadRequest>),
    Http2,
    Nothing,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<S> {
    fn poll_request(
        &mut self,
        end: &mut EndOfHead,
        context: &mut Context<'_>,
    ) -> Poll<Result<Next, HeadError>> {
        loop {
            // RFC 9112 2.2: an empty line before a request is passed over.
            while self.reading.bytes.starts_with(b"\r\n") {
                self.reading.bytes.advance(2);
                *end = EndOfHead::default();
            }
            if self.reading.bytes.starts_with(HTTP_2_PREFACE) {
                return Poll::Ready(Ok(Next::Http2));
            }
            let may_be_http_2 = HTTP_2_PREFACE.starts_with(&self.reading.bytes);
            if let Some(length) = end.find(&self.reading.bytes)?
                && !may_be_http_2
            {
                let head = self.reading.bytes.split_to(length).freeze();
                return Poll::Ready(request(&head).map(|read| Next::Request(Box::new(read))));
            }
            match self.reading.poll_more(&mut self.stream, context) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Ok(Next::Nothing)),
                Poll::Pending => {
                    let is_over = self.patience.poll_over(context).is_ready();
                    let is_idle = self.reading.bytes.is_empty();
                    if is_over || is_idle && self.leaving.as_mut().poll(context).is_ready() {
                        return Poll::Ready(Ok(Next::Nothing));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Waits for the answer, bringing the request's body meanwhile to whoever makes it.
    fn poll_answer<F: Future<Output = Response<ResponseBody>>>(
        &mut self,
        mut answered: Pin<&mut F>,
        under_way: &mut UnderWay,
        context: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody>, Gone>> {
        loop {
            if let Poll::Ready(response) = answered.as_mut().poll(context) {
                return Poll::Ready(Ok(response));
            }
            let visited = self.poll_visitor(&mut under_way.coming, context);
            if self.outgoing.is_waiting() {
                // The word to go on. An error is met again when the answer is sent.
                let _ = self.outgoing.poll_write(&mut self.stream, context);
            }
            ready!(visited)?;
        }
    }

    /// Sends the answer, bringing what is left of the request's body meanwhile.
    async fn say(&mut self, response: Response<ResponseBody>, under_way: &mut UnderWay) -> Result<(), Gone> {
        let (mut head, mut body) = response.into_parts();
        let length = body.size_hint().exact();
        let (framing, shape) = framing(under_way, head.status, length);
        under_way.keeps_alive &= shape != Shape::Endless;
        // Nobody will take what still comes, or the visitor was never told to send it, and may do so or not.
        under_way.keeps_alive &= !under_way.coming.as_ref().is_some_and(Coming::is_passed_over);
        if framing == ResponseFraming::AsTold
            && let Some(length @ 1..) = length
        {
            head.headers.insert(CONTENT_LENGTH, length.into());
        }
        if !head.headers.contains_key(DATE) {
            head.headers.insert(DATE, now());
        }
        let connection = match (under_way.keeps_alive, under_way.version) {
            (false, _) => Some(&b"close"[..]),
            (true, Version::HTTP_10) => Some(&b"keep-alive"[..]),
            (true, _) => None,
        };
        encode_response(
            head.status,
            &head.headers,
            framing,
            connection,
            self.outgoing.begin(shape),
        );
        self.has_begun = true;
        let mut written = 0;
        poll_fn(|context| {
            loop {
                match self.outgoing.poll_send(&mut self.stream, &mut body, context) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                    Poll::Ready(Err(error)) => {
                        note(&error);
                        return Poll::Ready(Err(Gone));
                    }
                    Poll::Pending => {}
                }
                match self.poll_visitor(&mut under_way.coming, context) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(gone)) => return Poll::Ready(Err(gone)),
                    Poll::Pending => return self.poll_slow(&mut written, context),
                }
            }
        })
        .await
    }

    /// Ready when the visitor has taken nothing for too long of what waits for it.
    fn poll_slow(&mut self, written: &mut u64, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if !self.outgoing.is_waiting() {
            *written = 0;
            return Poll::Pending;
        }
        let now = self.outgoing.written_bytes().max(1);
        if now != *written {
            *written = now;
            self.patience.begin(WRITE_TIMEOUT);
        }
        self.patience.poll_over(context).map(|()| Err(Gone))
    }

    /// Reads from the visitor what somebody wants: a piece of the body, or else whether the visitor is still there.
    /// Ready when a piece was brought, or the body has ended.
    fn poll_visitor(
        &mut self,
        coming: &mut Option<Coming>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Gone>> {
        let Some(Coming {
            body,
            bringer,
            is_awaited,
        }) = coming
        else {
            return self.poll_presence(context);
        };
        // Once an answer has begun it is too late to ask for the body.
        if bringer.wish(context) != Wish::More || *is_awaited && self.has_begun {
            return Poll::Pending;
        }
        if *is_awaited {
            *is_awaited = false;
            self.outgoing.interject().extend_from_slice(CONTINUE);
        }
        loop {
            match body.take(&mut self.reading.bytes) {
                Ok(Piece::Data(data)) => bringer.bring(Ok(Frame::data(data))),
                Ok(Piece::Trailers(trailers)) => bringer.bring(Ok(Frame::trailers(trailers))),
                Ok(Piece::End) => bringer.end(),
                Err(error) => bringer.bring(Err(BodyError::Malformed(error))),
                Ok(Piece::Wanting) => match ready!(self.reading.poll_more(&mut self.stream, context)) {
                    Ok(1..) => continue,
                    Ok(0) | Err(_) => return Poll::Ready(Err(Gone)),
                },
            }
            if body.has_ended() {
                bringer.end();
                *coming = None;
            }
            return Poll::Ready(Ok(()));
        }
    }

    /// Ready when the visitor has gone.
    fn poll_presence(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        while self.reading.bytes.len() < AHEAD_BYTES {
            match ready!(self.reading.poll_more(&mut self.stream, context)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Err(Gone)),
            }
        }
        Poll::Pending
    }

    /// Sends the head of an answer that switches protocols, and lets the connection go its way.
    async fn switch(mut self, response: Response<ResponseBody>, ends: &Ends) {
        let (mut head, body) = response.into_parts();
        let Some((tool, from_tool)) = body.into_connection() else {
            return;
        };
        let out = self.outgoing.begin(Shape::Nothing);
        encode_response(
            head.status,
            &head.headers,
            ResponseFraming::Empty,
            Some(b"upgrade"),
            out,
        );
        if poll_fn(|context| self.outgoing.poll_write(&mut self.stream, context))
            .await
            .is_err()
        {
            return;
        }
        let from_visitor = self.reading.bytes.freeze();
        let (tally, closing) = (ends.tally.clone(), ends.ending.closing.clone());
        let staying = head.extensions.remove::<Staying>();
        ends.ending.upgraded.spawn(async move {
            let _staying = staying;
            let _open = tally.tunnels.one();
            tunnel::join((self.stream, from_visitor), (tool, from_tool), closing).await;
        });
    }

    /// Answers what is no request, and closes.
    async fn refuse(&mut self, error: HeadError, ends: &Ends) {
        tracing::debug!(%error, "a request was refused");
        let (status, reason) = refusal(error);
        let mut under_way = UnderWay {
            method: Method::GET,
            version: Version::HTTP_11,
            keeps_alive: false,
            coming: None,
        };
        let mut page = own_page(status, None, Some(reason));
        page.headers_mut().extend(HeaderMap::clone(&ends.carried));
        if self.say(page, &mut under_way).await.is_ok() {
            self.linger().await;
        }
    }

    /// Closes after the last answer; something of the request may still come.
    async fn close(&mut self, may_come: bool) {
        if may_come {
            self.linger().await;
        } else {
            // Whoever is gone already needs no farewell.
            let _ = self.stream.shutdown().await;
        }
    }

    /// Says that no more is sent, and goes on reading for a while: a connection that is closed with bytes unread is
    /// reset, and takes the answer with it.
    async fn linger(&mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        self.patience.begin(LINGER);
        poll_fn(|context| {
            loop {
                self.reading.bytes = BytesMut::new();
                match self.reading.poll_more(&mut self.stream, context) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return self.patience.poll_over(context),
                }
                if self.patience.poll_over(context).is_ready() {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }
}

impl Coming {
    /// Whether nobody will ever ask for the rest.
    fn is_passed_over(&self) -> bool {
        self.is_awaited || self.bringer.is_abandoned()
    }
}

fn begin(read: ReadRequest) -> (UnderWay, Box<Visited>) {
    let ReadRequest {
        request,
        length,
        keeps_alive,
    } = read;
    let (coming, body) = match length {
        Length::Empty | Length::Known(0) => (None, VisitorBody::Empty),
        Length::Known(_) | Length::Chunked | Length::UntilClose => {
            let body = Body::new(length);
            let (bringer, upload) = upload(body.left_bytes());
            let coming = Coming {
                body,
                bringer,
                is_awaited: request.headers().contains_key(http::header::EXPECT),
            };
            (Some(coming), VisitorBody::Http1(upload))
        }
    };
    let under_way = UnderWay {
        method: request.method().clone(),
        version: request.version(),
        keeps_alive,
        coming,
    };
    (under_way, Box::new(request.map(|()| body)))
}

fn framing(under_way: &UnderWay, status: StatusCode, length: Option<u64>) -> (ResponseFraming, Shape) {
    if under_way.method == Method::HEAD || status == StatusCode::NOT_MODIFIED {
        return (ResponseFraming::AsTold, Shape::Nothing);
    }
    if status.is_informational() || status == StatusCode::NO_CONTENT {
        return (ResponseFraming::Empty, Shape::Nothing);
    }
    match length {
        Some(length) => (ResponseFraming::Known(length), Shape::Plain(length)),
        None if under_way.version == Version::HTTP_11 => (ResponseFraming::Chunked, Shape::Chunks),
        None => (ResponseFraming::UntilClose, Shape::Endless),
    }
}

fn refusal(error: HeadError) -> (StatusCode, &'static str) {
    match error {
        HeadError::TooLong => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "The head of the request is longer than 64 KiB, or has more than 128 fields.",
        ),
        HeadError::BareLineFeed => (
            StatusCode::BAD_REQUEST,
            "A line of the request does not end with CR LF.",
        ),
        HeadError::Malformed => (StatusCode::BAD_REQUEST, "The request is not HTTP/1.1."),
        HeadError::Version => (
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "Only HTTP/1.0 and HTTP/1.1 are served on this connection.",
        ),
        HeadError::Framing(FramingError::Coding) => (
            StatusCode::NOT_IMPLEMENTED,
            "Only the transfer coding chunked is served.",
        ),
        HeadError::Framing(_) => (
            StatusCode::BAD_REQUEST,
            "The length of the request is not certain: it needs one Content-Length, or Transfer-Encoding: chunked.",
        ),
    }
}

fn note(error: &SendError) {
    match error {
        SendError::Connection(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        SendError::Connection(error) => tracing::debug!(%error, "the visitor's connection broke"),
        SendError::Body(error) => tracing::debug!(%error, "an answer broke off"),
    }
}

/// The time of day as `Date` has it, written once a second.
fn now() -> HeaderValue {
    const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
    thread_local! {
        static WRITTEN: RefCell<(u64, HeaderValue)> = const { RefCell::new((0, HeaderValue::from_static(EPOCH))) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    WRITTEN.with_borrow_mut(|(of, text)| {
        if *of != second {
            let date = HeaderValue::from_str(&httpdate::fmt_http_date(now));
            *text = date.unwrap_or(HeaderValue::from_static(EPOCH));
            *of = second;
        }
        text.clone()
    })
}
