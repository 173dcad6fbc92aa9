//! One event to many watchers: how long until each of them has it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures::future::try_join_all;
use tokio::{sync::Notify, time::timeout};

use super::objects;
use crate::client::{Call, Connection, Target};

/// Events before those that count: connections and buffers have their size then.
const WARM_UP: u64 = 3;
/// An event that has not reached every watcher by then is lost.
const PATIENCE: Duration = Duration::from_mins(1);
/// Handshakes at a time: they cost both sides a signature each.
const HANDSHAKES: usize = 16;

/// When an event reached its watchers.
#[derive(Debug)]
struct Arrivals {
    awaited: usize,
    sent: Mutex<(Instant, Vec<Duration>)>,
    complete: Notify,
}

impl Arrivals {
    fn begin(&self) {
        *self.sent.lock().expect("nobody panics with it") = (Instant::now(), Vec::new());
    }

    fn note(&self) {
        let mut sent = self.sent.lock().expect("nobody panics with it");
        let took = sent.0.elapsed();
        sent.1.push(took);
        if sent.1.len() == self.awaited {
            self.complete.notify_one();
        }
    }

    fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut self.sent.lock().expect("nobody panics with it").1)
    }
}

/// From sending a write to each watcher's having read its event.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// One for each watcher and event.
    pub(crate) each: Vec<Duration>,
    /// One for each event: the last watcher.
    pub(crate) last: Vec<Duration>,
}

/// Opens `watchers` watches, each on a connection of its own, and makes `events` events one after the other. Calls
/// `warm` before the first event that counts.
pub(crate) async fn run(
    target: &Target,
    namespace: &str,
    watchers: usize,
    events: u64,
    warm: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<Outcome> {
    let mut writer = target.connect().await?;
    let list = writer
        .json(&Call::get(format!("{}?limit=1", objects::config_maps(namespace))))
        .await?;
    let revision = list
        .pointer("/metadata/resourceVersion")
        .and_then(serde_json::Value::as_str)
        .context("the list has no resourceVersion")?;
    let path = format!(
        "{}?watch=true&resourceVersion={revision}&timeoutSeconds=600",
        objects::config_maps(namespace)
    );
    let arrivals = Arc::new(Arrivals {
        awaited: watchers,
        sent: Mutex::new((Instant::now(), Vec::new())),
        complete: Notify::new(),
    });
    let streams = open(target, watchers, &path).await?;
    for stream in streams {
        tokio::spawn(follow(stream, arrivals.clone()));
    }
    let mut outcome = Outcome {
        each: Vec::new(),
        last: Vec::new(),
    };
    for event in 0..WARM_UP + events {
        if event == WARM_UP {
            warm()?;
        }
        arrivals.begin();
        writer
            .drain(&objects::config_map(namespace, "event", event))
            .await?;
        timeout(PATIENCE, arrivals.complete.notified())
            .await
            .context("an event did not reach all watchers")?;
        let times = arrivals.take();
        if event >= WARM_UP {
            outcome.last.extend(times.iter().max());
            outcome.each.extend(times);
        }
    }
    Ok(outcome)
}

async fn open(target: &Target, watchers: usize, path: &str) -> anyhow::Result<Vec<Connection>> {
    let mut streams = Vec::with_capacity(watchers);
    while streams.len() < watchers {
        let some = (watchers - streams.len()).min(HANDSHAKES);
        let opened = (0..some).map(|_| async {
            let mut connection = target.connect().await?;
            connection.watch(&Call::get(path)).await?;
            anyhow::Ok(connection)
        });
        streams.extend(try_join_all(opened).await?);
    }
    Ok(streams)
}

/// Notes each line; ends with the stream.
async fn follow(mut stream: Connection, arrivals: Arc<Arrivals>) {
    let note = |part: &[u8]| {
        for _ in part.iter().filter(|byte| **byte == b'\n') {
            arrivals.note();
        }
    };
    // A stream that breaks off is seen by the event that does not reach everybody.
    stream.follow(note).await.ok();
}
