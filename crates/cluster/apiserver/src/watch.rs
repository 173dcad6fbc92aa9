//! `watch`: a stream of events from a revision on, with selectors, bookmarks and an orderly end.
//!
//! A watch holds a revision and reads the ring of its resource from there: a slow reader costs no memory, and one that
//! falls too far behind is told 410.

mod lines;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, Stream};
use http::{HeaderValue, StatusCode, header};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use toolforge_kinds::Status;

use crate::rest::{Call, parse_revision};
use crate::selector::Selector;
use crate::store::{Compacted, Event};
use lines::Lines;

/// Time between bookmarks on a watch that asked for them, as in Kubernetes.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// Length of a watch whose client names none: this, and up to as much again, so that not all end together.
const LENGTH_SECONDS: i64 = 1800;

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
    let lines = Lines::new(call, selector, namespace);
    let mut watch = Watch {
        call: call.clone(),
        lines,
        revision: start.revision,
        told: start.revision,
        changed,
        bookmarks,
        next_bookmark: Instant::now() + BOOKMARK_EVERY,
        end: Instant::now() + length,
        first: Vec::new(),
        done: false,
    };
    if start.initial {
        watch.prepare_initial(start.marks_end);
    }
    let mut response = Response::new(Body::from_stream(watch.into_stream()));
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
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

struct Watch {
    call: Call,
    lines: Lines,
    /// All events up to here have been sent.
    revision: u64,
    /// The latest revision that the client knows of.
    told: u64,
    changed: Receiver<u64>,
    bookmarks: bool,
    next_bookmark: Instant,
    end: Instant,
    /// Lines to send before any event.
    first: Vec<Bytes>,
    done: bool,
}

impl Watch {
    /// Takes the current objects as the first lines.
    fn prepare_initial(&mut self, marks_end: bool) {
        let namespace = self.lines.namespace().map(str::to_owned);
        let listing = self
            .call
            .api
            .store
            .list(self.call.resource(), namespace.as_deref());
        self.revision = listing.revision;
        self.told = listing.revision;
        self.first = listing
            .objects
            .iter()
            .filter_map(|stored| self.lines.added(stored))
            .collect();
        if marks_end {
            self.first.push(self.lines.bookmark(listing.revision, true));
        }
        self.first.reverse();
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        stream::unfold(self, |mut watch| async move {
            let chunk = watch.next().await?;
            Some((Ok(chunk), watch))
        })
    }

    /// The next bytes to send; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(line) = self.first.pop() {
            return Some(line);
        }
        loop {
            if self.done {
                return None;
            }
            // Marked before reading: an event between the two wakes us again.
            self.changed.mark_unchanged();
            match self
                .call
                .api
                .store
                .events_after(self.call.resource(), self.revision)
            {
                Err(Compacted) => {
                    self.done = true;
                    return Some(lines::error(&Status::expired(format!(
                        "too old resource version: {} ({})",
                        self.revision,
                        self.call.api.store.revision()
                    ))));
                }
                Ok((events, visible)) => {
                    self.revision = self.revision.max(visible);
                    if let Some(chunk) = self.render(&events) {
                        return Some(chunk);
                    }
                }
            }
            if let Some(last) = self.wait().await {
                return Some(last);
            }
        }
    }

    fn render(&mut self, events: &[Arc<Event>]) -> Option<Bytes> {
        let mut lines: Vec<Bytes> = Vec::new();
        for event in events {
            if let Some(line) = self.lines.event(event) {
                self.told = event.revision();
                lines.push(line);
            }
        }
        match lines.len() {
            0 => None,
            1 => lines.pop(),
            _ => Some(Bytes::from(lines.concat())),
        }
    }

    /// Waits for an event; returns a last or a bookmark line when something else comes first.
    async fn wait(&mut self) -> Option<Bytes> {
        let closing = self.call.api.closing.clone();
        let retired = self.call.retired();
        tokio::select! {
            biased;
            () = closing.cancelled() => self.done = true,
            () = ends(retired) => self.done = true,
            changed = self.changed.changed() => self.done = changed.is_err(),
            () = tokio::time::sleep_until(self.end) => {
                self.done = true;
                return self.bookmark();
            }
            () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => {
                self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
                return self.bookmark();
            }
        }
        None
    }

    /// A bookmark, when it tells the client something new.
    fn bookmark(&mut self) -> Option<Bytes> {
        let (events, visible) = self
            .call
            .api
            .store
            .events_after(self.call.resource(), self.revision)
            .ok()?;
        if !self.bookmarks || !events.is_empty() || visible <= self.told {
            return None;
        }
        self.revision = visible;
        self.told = visible;
        Some(self.lines.bookmark(visible, false))
    }
}

/// Waits until the kind is not served any more as it was; built-in kinds always are.
async fn ends(retired: Option<CancellationToken>) {
    match retired {
        Some(retired) => retired.cancelled().await,
        None => std::future::pending().await,
    }
}
