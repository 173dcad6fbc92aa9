//! The body of a request over HTTP/1.1, between the connection that reads it and whoever passes it on.
//!
//! The one asks, the other brings one piece: so nothing is read that nobody wants, and a visitor who sends faster than
//! the tool takes is held up where TCP holds it up.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Frame;
use parking_lot::Mutex;

use crate::body::BodyError;

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Bringer(Arc<Mutex<Desk>>);

/// The end of whoever passes the body on.
#[derive(Debug)]
pub(crate) struct Upload(Arc<Mutex<Desk>>);

#[derive(Debug, Default)]
struct Desk {
    next: Option<Result<Frame<Bytes>, BodyError>>,
    /// The length still to be handed over, where it is known.
    left_bytes: Option<u64>,
    has_ended: bool,
    is_wanted: bool,
    is_abandoned: bool,
    asking: Option<Waker>,
    bringing: Option<Waker>,
}

/// What the passing side would like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Another piece.
    More,
    /// None at present.
    Later,
    /// None ever again.
    Nothing,
}

/// Both ends of a body of this length.
pub(crate) fn upload(length: Option<u64>) -> (Bringer, Upload) {
    let desk = Arc::new(Mutex::new(Desk {
        left_bytes: length,
        ..Desk::default()
    }));
    (Bringer(desk.clone()), Upload(desk))
}

impl Bringer {
    /// What is wished; the task is woken when that changes.
    pub(crate) fn wish(&self, context: &Context<'_>) -> Wish {
        let mut desk = self.0.lock();
        if desk.is_abandoned {
            return Wish::Nothing;
        }
        if desk.is_wanted && desk.next.is_none() {
            return Wish::More;
        }
        desk.bringing = Some(context.waker().clone());
        Wish::Later
    }

    /// Whether nothing will ever be wished again.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.lock().is_abandoned
    }

    /// Brings a piece, or says why there is none.
    pub(crate) fn bring(&self, next: Result<Frame<Bytes>, BodyError>) {
        let mut desk = self.0.lock();
        desk.next = Some(next);
        desk.is_wanted = false;
        wake(&mut desk.asking);
    }

    /// Says that there is no more.
    pub(crate) fn end(&self) {
        let mut desk = self.0.lock();
        desk.has_ended = true;
        wake(&mut desk.asking);
    }
}

impl Drop for Bringer {
    fn drop(&mut self) {
        let mut desk = self.0.lock();
        if !desk.has_ended && desk.next.is_none() {
            desk.next = Some(Err(BodyError::Broken(std::io::ErrorKind::UnexpectedEof.into())));
        }
        wake(&mut desk.asking);
    }
}

impl Upload {
    pub(crate) fn poll_frame(
        &mut self,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut desk = self.0.lock();
        if let Some(next) = desk.next.take() {
            if let (Some(left), Some(data)) = (desk.left_bytes, next.as_ref().ok().and_then(Frame::data_ref))
            {
                desk.left_bytes = Some(left.saturating_sub(data.len() as u64));
            }
            return Poll::Ready(Some(next));
        }
        if desk.has_ended {
            return Poll::Ready(None);
        }
        desk.is_wanted = true;
        desk.asking = Some(context.waker().clone());
        wake(&mut desk.bringing);
        Poll::Pending
    }

    /// The length still to come, where it is known.
    pub(crate) fn left_bytes(&self) -> Option<u64> {
        self.0.lock().left_bytes
    }

    pub(crate) fn has_ended(&self) -> bool {
        let desk = self.0.lock();
        desk.next.is_none() && (desk.has_ended || desk.left_bytes == Some(0))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut desk = self.0.lock();
        desk.is_abandoned = true;
        wake(&mut desk.bringing);
    }
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}
