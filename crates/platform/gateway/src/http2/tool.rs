//! A request to a tool over HTTP/2, and the body of its answer.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::timeout;

use super::lanes::{Held, Place};
use crate::{
    body::BodyError,
    http1::{
        Patience,
        tool::{AnswerError, Asked},
    },
    limits::{BODY_TIMEOUT, READ_TIMEOUT},
    request_body::RequestBody,
};

/// Why a request was not answered.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Nothing of it was sent: here it is again.
    Unsent(RequestBody),
    /// The endpoint says that it did nothing with it (RFC 9113 8.7).
    Refused(AnswerError),
    /// Something else.
    Failed(AnswerError),
}

/// The body of a request on its way, which keeps for us why it broke off.
#[derive(Debug)]
pub(crate) struct Passed {
    body: RequestBody,
    fate: Arc<Fate>,
    /// How long the visitor may say nothing, set when that is waited for.
    patience: Option<Patience>,
}

/// What became of a request.
#[derive(Debug, Default)]
struct Fate {
    /// Why its body broke off, if it did.
    failure: Mutex<Option<BodyError>>,
    /// Whether the answer has begun.
    has_answer: AtomicBool,
}

/// The body of an answer, which holds its place on the connection.
#[derive(Debug)]
pub(crate) struct StreamBody {
    incoming: Incoming,
    pub(crate) endpoint: SocketAddr,
    patience: Patience,
    /// How long the tool may say nothing.
    silence: Duration,
    fate: Arc<Fate>,
    _held: Held,
}

/// Sends the request, and waits for the head of the answer. Dropped before, it takes the request back.
pub(crate) async fn ask(
    place: Place,
    endpoint: SocketAddr,
    asked: &Asked<'_>,
    body: RequestBody,
) -> Result<Response<StreamBody>, Unanswered> {
    let Place { mut sender, held, .. } = place;
    let fate = Arc::<Fate>::default();
    let passed = Passed {
        body,
        fate: fate.clone(),
        patience: None,
    };
    let has_body = !passed.body.is_empty();
    let request = request(asked, passed).map_err(Unanswered::Failed)?;
    let silence = asked.timeouts.read.unwrap_or(READ_TIMEOUT);
    // As long as a body is on its way it is the visitor's time too.
    let until_head = if has_body { READ_TIMEOUT } else { silence };
    let answered = timeout(until_head, sender.try_send_request(request)).await;
    let Ok(answered) = answered else {
        return Err(Unanswered::Failed(AnswerError::Timeout));
    };
    match answered {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            let error = io::Error::other("HTTP/2 knows no 101 (RFC 9113 8.6)");
            Err(Unanswered::Failed(AnswerError::Broken(error)))
        }
        Ok(response) => {
            fate.has_answer.store(true, Ordering::Relaxed);
            Ok(response.map(|incoming| StreamBody {
                incoming,
                endpoint,
                patience: Patience::new(silence),
                silence,
                fate,
                _held: held,
            }))
        }
        Err(mut error) => {
            if let Some(request) = error.take_message() {
                return Err(Unanswered::Unsent(request.into_body().body));
            }
            if let Some(error) = fate.failure.lock().take() {
                return Err(Unanswered::Failed(AnswerError::Body(error)));
            }
            let error = error.into_error();
            let is_refused = is_refused(&error);
            let error = AnswerError::Broken(io::Error::other(error));
            Err(if is_refused {
                Unanswered::Refused(error)
            } else {
                Unanswered::Failed(error)
            })
        }
    }
}

/// The request as HTTP/2 has it: without what belongs to one connection, and with the host where it belongs. A wish for
/// another protocol is passed over, as a server may (RFC 9110 7.8).
fn request(asked: &Asked<'_>, body: Passed) -> Result<Request<Passed>, AnswerError> {
    let mut headers = asked.headers.clone();
    let host = headers
        .remove(HOST)
        .and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let wants_trailers = headers.contains_key(TE);
    for name in [CONNECTION, UPGRADE, TRANSFER_ENCODING, CONTENT_LENGTH, TE] {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = host;
    parts.path_and_query = PathAndQuery::try_from(asked.target).ok();
    let uri = Uri::from_parts(parts).map_err(|error| AnswerError::Broken(io::Error::other(error)))?;
    let mut request = Request::new(body);
    *request.method_mut() = asked.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    Ok(request)
}

fn is_refused(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<h2::Error>());
    source.is_some_and(|error| error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

impl Body for Passed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Pending => ready!(this.poll_silent(context)),
            Poll::Ready(frame) => {
                this.patience = None;
                frame
            }
        };
        Poll::Ready(polled.map(|frame| {
            frame.map_err(|error| {
                *this.fate.failure.lock() = Some(error);
                // It resets the stream, and is seen by nobody.
                BodyError::Length
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Passed {
    /// Ready with an error when the visitor has said nothing for too long, to a tool that has not answered yet.
    fn poll_silent(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let patience = self.patience.get_or_insert_with(|| Patience::new(BODY_TIMEOUT));
        ready!(patience.poll_over(context));
        if self.fate.has_answer.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(BodyError::Silent)))
    }
}

impl StreamBody {
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.patience.begin(self.silence);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = self
                    .fate
                    .failure
                    .lock()
                    .take()
                    .unwrap_or_else(|| BodyError::Broken(io::Error::other(error)));
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self
                .patience
                .poll_over(context)
                .map(|()| Some(Err(BodyError::Idle))),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub(crate) fn left_bytes(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }
}
