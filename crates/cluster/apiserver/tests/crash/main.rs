//! The API ended by SIGKILL at random moments under concurrent writers, again and again: nothing acknowledged is
//! lost, no revision goes back, a watch that resumes sees each change once and in order, and what every client was
//! told can have happened in one order.
//!
//! Runs for [`SECONDS`]; `TOOLFORGE_CRASH_SECONDS` says otherwise. The API is a process of its own: this test program,
//! started anew.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod follower;
mod history;
mod site;
mod writers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams};

use follower::Follower;
use history::{Call, is_linearizable};
use site::Site;
use writers::{Clock, KEYS, WRITERS};

/// How long the test kills.
const SECONDS: u64 = 30;
/// A kill comes after some writes, fewer than this.
const WRITES: u64 = 40;
/// But not later than this, with writes or without.
const LATEST_KILL: Duration = Duration::from_secs(2);
/// The moment between two writes, in microseconds, about.
const BETWEEN: u64 = 10_000;
/// How long one step may take on a loaded machine.
const DEADLINE: Duration = Duration::from_mins(2);

/// Values by key, and the revision that they are of.
struct World {
    values: BTreeMap<String, u64>,
    revision: u64,
}

async fn world(maps: &Api<ConfigMap>) -> World {
    let list = maps
        .list(&ListParams::default().labels("crash=yes"))
        .await
        .unwrap();
    World {
        values: list
            .items
            .iter()
            .map(|map| (writers::name(map), writers::value(map)))
            .collect(),
        revision: list.metadata.resource_version.unwrap().parse().unwrap(),
    }
}

/// What happened between two starts.
struct Round {
    before: BTreeMap<String, u64>,
    calls: Vec<Call>,
    after: BTreeMap<String, u64>,
}

impl Round {
    fn check(&self, number: usize) {
        for key in KEYS {
            let calls: Vec<Call> = self
                .calls
                .iter()
                .filter(|call| call.key == *key)
                .cloned()
                .collect();
            let (before, after) = (self.before.get(*key).copied(), self.after.get(*key).copied());
            assert!(
                is_linearizable(before, &calls, after),
                "round {number}, {key}: {before:?} -> {calls:#?} -> {after:?} cannot have happened in any order"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_api_loses_nothing_and_tells_everything_once() {
    let seconds = std::env::var("TOOLFORGE_CRASH_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let site = Site::new();
    let clock = Arc::new(Clock::default());
    let mut running = site.start().await;
    let first = world(&running.maps).await;
    let follower = Follower::start(first.revision, running.maps.clone());
    let (mut before, mut rounds) = (first, Vec::new());
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end || rounds.len() < 3 {
        let writing: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(writers::write(writer, running.maps.clone(), clock.clone())))
            .collect();
        let writes = clock.wait_for_writes(rand::random_range(0..WRITES));
        tokio::time::timeout(LATEST_KILL, writes).await.ok();
        // Not a wait for something: the moment of the kill is what is random.
        tokio::time::sleep(Duration::from_micros(rand::random_range(0..BETWEEN))).await;
        running.kill().await;
        let mut calls = Vec::new();
        for writer in writing {
            calls.extend(tokio::time::timeout(DEADLINE, writer).await.unwrap().unwrap());
        }
        running = site.start().await;
        let after = world(&running.maps).await;
        let told = calls.iter().filter_map(|call| call.revision).max().unwrap_or(0);
        assert!(
            after.revision >= told.max(before.revision),
            "the revision went back to {}",
            after.revision
        );
        follower.go_on(running.maps.clone());
        let round = Round {
            before: before.values,
            calls,
            after: after.values.clone(),
        };
        round.check(rounds.len());
        rounds.push(round);
        before = after;
    }
    finish(running, follower, &rounds, &before).await;
}

/// What the watch told is the same story.
async fn finish(running: site::Running, follower: Follower, rounds: &[Round], last: &World) {
    let map = writers::map(follower::LAST, 0);
    running.maps.create(&PostParams::default(), &map).await.unwrap();
    let seen = tokio::time::timeout(DEADLINE, follower.finish())
        .await
        .expect("the watch comes to its end");
    running.kill().await;
    assert!(
        seen.windows(2).all(|pair| pair[0].revision < pair[1].revision),
        "events in order, each once"
    );
    let mut values = BTreeMap::new();
    for event in &seen {
        match event.value {
            Some(value) => values.insert(event.key.clone(), value),
            None => values.remove(&event.key),
        };
    }
    values.remove(follower::LAST);
    assert_eq!(values, last.values, "the events lead to what is there");
    let mut acknowledged = 0;
    for call in rounds.iter().flat_map(|round| &round.calls) {
        if let (Some(revision), Some(value)) = (call.revision, call.written()) {
            acknowledged += 1;
            let found = seen
                .iter()
                .filter(|event| event.revision == revision)
                .collect::<Vec<_>>();
            assert_eq!(found.len(), 1, "the write of revision {revision} was told once");
            assert_eq!((found[0].key.as_str(), found[0].value), (call.key, Some(value)));
        }
    }
    assert!(
        acknowledged > rounds.len(),
        "{acknowledged} writes in {} rounds",
        rounds.len()
    );
    println!(
        "{} kills, {acknowledged} acknowledged writes, {} events",
        rounds.len(),
        seen.len()
    );
}
