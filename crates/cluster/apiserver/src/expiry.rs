//! Events do not stay: they go an hour after their last change, as in Kubernetes.
//!
//! The server runs it beside its listener. It sleeps until the next event is due, and hears of new ones from the
//! store. Finalizers do not hold an event, and nobody is asked about its end: that is so in Kubernetes, too.

mod queue;

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use serde_json::Value;

use crate::api::Api;
use crate::store::{Change, CommitError, Effect, Expected, Resource, Store};
use queue::{Entry, Queue};

/// How long events stay after their last change; Kubernetes' default.
pub(crate) const EVENT_LIFETIME: Duration = Duration::from_hours(1);
/// Deletions under way at a time: they share flushes to disk.
const AT_A_TIME: usize = 32;
/// Pause after the disk refused a deletion: nothing tells when it is well again.
const PAUSE: Duration = Duration::from_secs(30);

/// Works until the API closes.
pub(crate) async fn expire_events(api: Arc<Api>, lifetime: Duration) {
    let Some(events) = Resource::find("", "events") else {
        return;
    };
    let Some(mut changed) = api.store.subscribe(events) else {
        return;
    };
    let mut queue = Queue::new(lifetime);
    let mut seen = None;
    loop {
        changed.mark_unchanged();
        seen = Some(note(&api.store, events, seen, &mut queue));
        let due = queue.take_due(Timestamp::now());
        for refused in delete_all(&api.store, due).await {
            queue.postpone(refused, Timestamp::now(), PAUSE);
        }
        let wait = queue.wait(Timestamp::now());
        tokio::select! {
            () = api.closing.cancelled() => return,
            more = changed.changed() => if more.is_err() { return },
            () = sleep(wait) => {}
        }
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// Puts what has been written after `seen` into the queue, or everything that is there; gives the revision seen now.
fn note(store: &Store, events: Resource, seen: Option<u64>, queue: &mut Queue) -> u64 {
    let now = Timestamp::now();
    if let Some(Ok((news, revision))) = seen.map(|seen| store.events_after(events, seen)) {
        for event in news.iter().filter(|event| event.effect == Effect::Put) {
            queue.add(event.object.key.clone(), event.object.revision, now);
        }
        return revision;
    }
    let listing = store.list(events, None);
    queue.load(&listing.objects, now);
    listing.revision
}

/// Deletes events that nobody has changed meanwhile. Gives back what the disk refused.
async fn delete_all(store: &Store, due: Vec<Entry>) -> Vec<Entry> {
    stream::iter(due)
        .map(|entry| async move {
            let refused = matches!(
                delete(store, &entry).await,
                Err(CommitError::Disk | CommitError::Full)
            );
            refused.then_some(entry)
        })
        .buffered(AT_A_TIME)
        .filter_map(std::future::ready)
        .collect()
        .await
}

async fn delete(store: &Store, entry: &Entry) -> Result<(), CommitError> {
    let current = store.get(&entry.key);
    // One that was changed stands in the queue once more.
    let Some(current) = current.filter(|found| found.revision == entry.revision) else {
        return Ok(());
    };
    let change = Change {
        key: entry.key.clone(),
        expected: Expected::Revision(entry.revision),
        effect: Effect::Removed,
        value: Value::clone(&current.value()),
        guards: Vec::new(),
    };
    store.commit(change).await.map(drop)
}
