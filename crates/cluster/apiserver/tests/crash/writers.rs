//! Clients that read and write a few objects, each write on condition of what was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use serde_json::json;
use tokio::sync::watch;

use crate::history::{Answer, Call, Operation};

/// Clients at a time.
pub(crate) const WRITERS: usize = 6;
/// The objects that they write.
pub(crate) const KEYS: &[&str] = &["a", "b", "c", "d"];

/// Orders what happens in this process, and makes values that are never used twice.
#[derive(Debug)]
pub(crate) struct Clock {
    ticks: AtomicU64,
    /// Writes that were acknowledged, by all writers.
    acknowledged: watch::Sender<u64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            ticks: AtomicU64::new(10),
            acknowledged: watch::Sender::new(0),
        }
    }
}

impl Clock {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    /// Waits for so many more acknowledged writes.
    pub(crate) async fn wait_for_writes(&self, count: u64) {
        let mut acknowledged = self.acknowledged.subscribe();
        let target = *acknowledged.borrow() + count;
        acknowledged.wait_for(|done| *done >= target).await.ok();
    }
}

pub(crate) fn map(name: &str, value: u64) -> ConfigMap {
    serde_json::from_value(json!({
        "metadata": { "name": name, "labels": { "crash": "yes" } },
        "data": { "value": value.to_string() },
    }))
    .unwrap()
}

pub(crate) fn name(map: &ConfigMap) -> String {
    map.metadata.name.clone().unwrap()
}

pub(crate) fn value(map: &ConfigMap) -> u64 {
    map.data.as_ref().unwrap()["value"].parse().unwrap()
}

fn revision(map: &ConfigMap) -> u64 {
    map.metadata.resource_version.as_ref().unwrap().parse().unwrap()
}

/// Works until the API is gone; gives everything that was done.
pub(crate) async fn write(writer: usize, maps: Api<ConfigMap>, clock: Arc<Clock>) -> Vec<Call> {
    let mut calls = Vec::new();
    loop {
        let key = KEYS[rand::random_range(0..KEYS.len())];
        let began = clock.tick();
        let Ok(found) = maps.get_opt(key).await else {
            return calls;
        };
        let record = |operation, answer, began, revision| Call {
            writer,
            key,
            operation,
            answer,
            began,
            ended: clock.tick(),
            revision,
        };
        let read = Answer::Found(found.as_ref().map(value));
        calls.push(record(Operation::Get, read, began, found.as_ref().map(revision)));
        let next = clock.tick();
        let began = clock.tick();
        let (operation, outcome) = change(&maps, key, found, next).await;
        let (answer, revision) = match outcome {
            Ok(revision) => {
                clock.acknowledged.send_modify(|done| *done += 1);
                (Answer::Done, revision)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => (Answer::Refused, None),
            Err(_) => (Answer::None, None),
        };
        calls.push(record(operation, answer, began, revision));
        if answer == Answer::None {
            return calls;
        }
    }
}

async fn change(
    maps: &Api<ConfigMap>,
    key: &str,
    found: Option<ConfigMap>,
    next: u64,
) -> (Operation, Result<Option<u64>, kube::Error>) {
    let params = PostParams::default();
    let Some(found) = found else {
        let made = maps.create(&params, &map(key, next)).await;
        return (Operation::Create(next), made.map(|made| Some(revision(&made))));
    };
    let from = value(&found);
    if rand::random_range(0..4) == 0 {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                resource_version: found.metadata.resource_version,
                uid: None,
            }),
            ..DeleteParams::default()
        };
        let gone = maps.delete(key, &params).await;
        return (Operation::Delete { from }, gone.map(|_| None));
    }
    let mut wanted = map(key, next);
    wanted.metadata.resource_version = found.metadata.resource_version;
    let made = maps.replace(key, &params, &wanted).await;
    (
        Operation::Update { from, to: next },
        made.map(|made| Some(revision(&made))),
    )
}
