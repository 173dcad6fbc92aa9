//! `watch`: a stream of events from a revision on, with selectors, bookmarks and an orderly end.
//!
//! A watch holds a revision and reads the ring of its resource from there: a slow reader costs no memory, and one that
//! falls too far behind is told 410.

mod lines;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream};
use http::StatusCode;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use toolforge_kinds::Status;

use crate::respond;
use crate::rest::{Call, parse_revision};
use crate::selector::Selector;
use crate::store::{Compacted, Event, Stored};
use lines::Lines;

/// Time between bookmarks on a watch that asked for them, as in Kubernetes.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// Length of a watch whose client names none: this, and up to as much again, so that not all end together.
const LENGTH_SECONDS: i64 = 1800;
/// Size in bytes from which lines are sent and no more are made: what a reader that does not read costs at most.
const CHUNK_BYTES: usize = 64 << 10;

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Start {
    /// Events after this one are sent.
    revision: u64,
    /// Whether the objects that are there now come first.
    initial: bool,
    /// Whether a bookmark says that the first objects are complete.
    marks_end: bool,
}

/// Answers with a stream of events.
pub(crate) fn answer(call: &Call) -> Result<Response, Status> {
    let selector = Selector::read(call.fields(), &call.query)?;
    let namespace = call
        .namespace
        .clone()
        .or_else(|| selector.namespace().map(str::to_owned));
    let changed = call
        .api
        .store
        .subscribe(call.resource())
        .ok_or_else(Status::no_such_path)?;
    let bookmarks = call.query.is_true("allowWatchBookmarks");
    let start = start(call, bookmarks)?;
    let length = length(call)?;
    let call = Arc::new(call.clone());
    let mut watch = Watch {
        lines: Lines::new(call.clone(), selector, namespace),
        revision: start.revision,
        told: start.revision,
        changed,
        closing: Box::pin(call.api.closing.clone().cancelled_owned()),
        retired: call.retired().map(|retired| Box::pin(retired.cancelled_owned())),
        next_bookmark: bookmarks.then(|| Box::pin(tokio::time::sleep(BOOKMARK_EVERY))),
        end: Box::pin(tokio::time::sleep(length)),
        first: Vec::new().into_iter(),
        marks_end: start.marks_end,
        done: false,
        call,
    };
    if start.initial {
        watch.prepare_initial();
    }
    Ok(respond::body(
        StatusCode::OK,
        Body::from_stream(watch.into_stream()),
    ))
}

fn start(call: &Call, bookmarks: bool) -> Result<Start, Status> {
    let revision = call
        .query
        .get("resourceVersion")
        .map(parse_revision)
        .transpose()?;
    let now = call.api.store.revision();
    match call.query.switch("sendInitialEvents") {
        Some(sends) => {
            let from = if sends {
                now
            } else {
                revision.filter(|revision| *revision > 0).unwrap_or(now)
            };
            Ok(Start {
                revision: from,
                initial: sends,
                marks_end: sends && bookmarks,
            })
        }
        None => Ok(match revision {
            None | Some(0) => Start {
                revision: now,
                initial: true,
                marks_end: false,
            },
            Some(from) => Start {
                revision: from,
                initial: false,
                marks_end: false,
            },
        }),
    }
}

fn length(call: &Call) -> Result<Duration, Status> {
    let seconds = match call.query.number("timeoutSeconds")? {
        Some(seconds) if seconds > 0 => seconds,
        _ => LENGTH_SECONDS + rand::random_range(0..LENGTH_SECONDS),
    };
    Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// Set up once, and not for each event.
type Cancelled = Pin<Box<WaitForCancellationFutureOwned>>;

struct Watch {
    call: Arc<Call>,
    lines: Lines,
    /// All events up to here have been sent.
    revision: u64,
    /// The latest revision that the client knows of.
    told: u64,
    changed: Receiver<u64>,
    closing: Cancelled,
    /// None for kinds that are always served as they are.
    retired: Option<Cancelled>,
    /// None when the client did not ask for bookmarks.
    next_bookmark: Option<Pin<Box<Sleep>>>,
    end: Pin<Box<Sleep>>,
    /// Objects to send before any event.
    first: std::vec::IntoIter<Arc<Stored>>,
    /// Whether a bookmark comes behind them.
    marks_end: bool,
    done: bool,
}

impl Watch {
    /// Takes the current objects as the first to send.
    fn prepare_initial(&mut self) {
        let store = &self.call.api.store;
        let listing = store.list(self.call.resource(), self.lines.namespace());
        self.revision = listing.revision;
        self.told = listing.revision;
        self.first = listing.objects.into_iter();
    }

    /// Lines of some of the first objects, and at their end the bookmark that says so.
    async fn initial(&mut self) -> Result<Option<Bytes>, Status> {
        let mut chunk = BytesMut::new();
        while chunk.len() < CHUNK_BYTES && !self.first.as_slice().is_empty() {
            for stored in self.next_first().await? {
                if let Some(line) = self.lines.added(&stored) {
                    chunk.extend_from_slice(&line);
                }
            }
        }
        if self.first.as_slice().is_empty() && std::mem::take(&mut self.marks_end) {
            chunk.extend_from_slice(&self.lines.bookmark(self.revision, true));
        }
        Ok((!chunk.is_empty()).then(|| chunk.freeze()))
    }

    /// The next of the first objects, a chunk of them at most.
    async fn next_first(&mut self) -> Result<Vec<Arc<Stored>>, Status> {
        let (mut some, mut bytes) = (Vec::new(), 0);
        while bytes < CHUNK_BYTES
            && let Some(stored) = self.first.next()
        {
            bytes += stored.length();
            some.push(stored);
        }
        let call = self.call.clone();
        until_closing(&call, call.all_as_asked(some)).await
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        stream::unfold(self, |mut watch| async move {
            let chunk = watch.next().await?;
            Some((Ok(chunk), watch))
        })
    }

    /// The next bytes to send; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.done {
            return None;
        }
        match self.initial().await {
            Ok(None) => {}
            Ok(lines) => return lines,
            Err(status) => return Some(self.refuse(&status)),
        }
        loop {
            if self.done {
                return None;
            }
            // Marked before reading: an event between the two wakes us again.
            self.changed.mark_unchanged();
            match self.some_events().await {
                Err(status) => return Some(self.refuse(&status)),
                Ok(Some(chunk)) => return Some(chunk),
                Ok(None) => {}
            }
            if let Some(last) = self.wait().await {
                return Some(last);
            }
        }
    }

    /// The last line, which says why there are no more.
    fn refuse(&mut self, status: &Status) -> Bytes {
        self.done = true;
        lines::error(status)
    }

    /// Lines of the next events; none when there is nothing to show up to now.
    async fn some_events(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            let store = &self.call.api.store;
            let (events, until) = store
                .some_events_after(self.call.resource(), self.revision, CHUNK_BYTES)
                .map_err(|Compacted| self.too_old())?;
            self.revision = self.revision.max(until);
            if events.is_empty() {
                return Ok(None);
            }
            let call = self.call.clone();
            let shown = call.events_as_asked(events, self.lines.selects());
            let shown = until_closing(&call, shown).await?;
            if let Some(chunk) = self.render(&shown) {
                return Ok(Some(chunk));
            }
        }
    }

    fn too_old(&self) -> Status {
        Status::expired(format!(
            "too old resource version: {} ({})",
            self.revision,
            self.call.api.store.revision()
        ))
    }

    fn render(&mut self, events: &[Arc<Event>]) -> Option<Bytes> {
        if let [event] = events {
            // The usual case, without a copy: the line is the same bytes for all watches.
            let line = self.lines.event(event)?;
            self.told = event.revision();
            return Some(line);
        }
        let mut chunk = BytesMut::new();
        for event in events {
            if let Some(line) = self.lines.event(event) {
                self.told = event.revision();
                chunk.extend_from_slice(&line);
            }
        }
        (!chunk.is_empty()).then(|| chunk.freeze())
    }

    /// Waits for an event; returns a last or a bookmark line when something else comes first.
    async fn wait(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = &mut self.closing => self.done = true,
            () = cancelled(self.retired.as_mut()) => self.done = true,
            changed = self.changed.changed() => self.done = changed.is_err(),
            () = &mut self.end => {
                self.done = true;
                return self.bookmark();
            }
            () = due(self.next_bookmark.as_mut()) => {
                if let Some(next) = &mut self.next_bookmark {
                    next.as_mut().reset(Instant::now() + BOOKMARK_EVERY);
                }
                return self.bookmark();
            }
        }
        None
    }

    /// A bookmark, when it tells the client something new.
    fn bookmark(&mut self) -> Option<Bytes> {
        self.next_bookmark.as_ref()?;
        let store = &self.call.api.store;
        let (events, visible) = store
            .some_events_after(self.call.resource(), self.revision, CHUNK_BYTES)
            .ok()?;
        if !events.is_empty() || visible <= self.told {
            return None;
        }
        self.revision = visible;
        self.told = visible;
        Some(self.lines.bookmark(visible, false))
    }
}

/// What a webhook has to be asked for ends with the API; built-in kinds are there at once.
async fn until_closing<T>(call: &Call, asked: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    if !call.asks_webhook() {
        return asked.await;
    }
    let closed = || Status::timeout("the API ends", 0);
    let asked = call.api.closing.run_until_cancelled(asked).await;
    asked.unwrap_or_else(|| Err(closed()))
}

/// Waits until the kind is not served any more as it was; built-in kinds always are.
async fn cancelled(retired: Option<&mut Cancelled>) {
    match retired {
        Some(retired) => retired.await,
        None => std::future::pending().await,
    }
}

/// Waits for the next bookmark, where there is one.
async fn due(next: Option<&mut Pin<Box<Sleep>>>) {
    match next {
        Some(next) => next.await,
        None => std::future::pending().await,
    }
}
