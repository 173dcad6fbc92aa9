//! Which events are due, and when the next one is. Pure: the time is handed in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::store::{Key, Stored};

/// One state of one event, and when it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) revision: u64,
    due: Timestamp,
}

/// States of events in the order in which they are due. All live equally long, so the order is that of their writing.
#[derive(Debug)]
pub(super) struct Queue {
    lifetime: SignedDuration,
    entries: VecDeque<Entry>,
}

impl Queue {
    /// An empty queue of events that stay for `lifetime`.
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime: SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX),
            entries: VecDeque::new(),
        }
    }

    /// Adds what has just been written.
    pub(super) fn add(&mut self, key: Key, revision: u64, written: Timestamp) {
        let due = later(written, self.lifetime);
        self.entries.push_back(Entry { key, revision, due });
    }

    /// Begins anew with the events that are there, by what they say of their last change.
    pub(super) fn load(&mut self, events: &[Arc<Stored>], now: Timestamp) {
        let mut entries: Vec<Entry> = events
            .iter()
            .map(|event| Entry {
                key: event.key.clone(),
                revision: event.revision,
                due: later(last_change(&event.value(), now), self.lifetime),
            })
            .collect();
        entries.sort_by_key(|entry| entry.due);
        self.entries = entries.into();
    }

    /// Takes out what is due.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Entry> {
        let count = self.entries.iter().take_while(|entry| entry.due <= now).count();
        self.entries.drain(..count).collect()
    }

    /// Puts back what could not be done. What stands behind it waits as well.
    pub(super) fn postpone(&mut self, mut entry: Entry, now: Timestamp, pause: Duration) {
        entry.due = later(
            now,
            SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX),
        );
        self.entries.push_front(entry);
    }

    /// How long until the next one is due; `None` when there is none.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let next = self.entries.front()?;
        Some(Duration::try_from(next.due.duration_since(now)).unwrap_or(Duration::ZERO))
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The latest time in an event. Times from the future are no times: clocks go wrong.
fn last_change(event: &Value, now: Timestamp) -> Timestamp {
    let own = [
        "/metadata/creationTimestamp",
        "/lastTimestamp",
        "/eventTime",
        "/series/lastObservedTime",
    ];
    let managers = event
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|manager| manager.get("time"));
    own.iter()
        .filter_map(|field| event.pointer(field))
        .chain(managers)
        .filter_map(|time| time.as_str()?.parse::<Timestamp>().ok())
        .filter(|time| *time <= now)
        .max()
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Resource;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(time: &str) -> Timestamp {
        format!("2026-01-01T{time}Z").parse().unwrap()
    }

    fn key(name: &str) -> Key {
        Key::new(Resource::find("", "events").unwrap(), Some("default"), name)
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.key.name.as_str()).collect()
    }

    #[test]
    fn an_event_is_due_an_hour_after_its_last_change() {
        let mut queue = Queue::new(HOUR);
        queue.add(key("a"), 1, at("10:00:00"));
        queue.add(key("b"), 2, at("10:30:00"));
        assert_eq!(queue.wait(at("10:30:00")), Some(HOUR / 2));
        assert!(queue.take_due(at("10:59:59")).is_empty());
        assert_eq!(names(&queue.take_due(at("11:00:00"))), ["a"]);
        assert_eq!(queue.wait(at("12:00:00")), Some(Duration::ZERO));
        assert_eq!(names(&queue.take_due(at("12:00:00"))), ["b"]);
        assert_eq!(queue.wait(at("12:00:00")), None);
    }

    #[test]
    fn after_a_restart_an_event_s_own_times_count_but_for_those_of_the_future() {
        let event = |name: &str, value: Value| Arc::new(Stored::stamp(key(name), 1, value, "ADDED"));
        let mut queue = Queue::new(HOUR);
        let created = |time: &str| json!({"creationTimestamp": format!("2026-01-01T{time}Z")});
        queue.load(
            &[
                event(
                    "repeated",
                    json!({"metadata": created("08:00:00"), "lastTimestamp": "2026-01-01T09:30:00Z"}),
                ),
                event(
                    "old",
                    json!({"metadata": created("08:00:00"), "lastTimestamp": "2031-01-01T00:00:00Z"}),
                ),
                event("undated", json!({"metadata": {}})),
            ],
            at("10:00:00"),
        );
        assert_eq!(names(&queue.take_due(at("10:00:00"))), ["old"]);
        assert_eq!(names(&queue.take_due(at("10:30:00"))), ["repeated"]);
        assert_eq!(names(&queue.take_due(at("11:00:00"))), ["undated"]);
    }

    #[test]
    fn what_the_disk_refused_is_tried_again_after_a_pause() {
        let mut queue = Queue::new(HOUR);
        queue.add(key("a"), 1, at("10:00:00"));
        for entry in queue.take_due(at("11:00:00")) {
            queue.postpone(entry, at("11:00:00"), Duration::from_mins(1));
        }
        assert!(queue.take_due(at("11:00:59")).is_empty());
        assert_eq!(names(&queue.take_due(at("11:01:00"))), ["a"]);
    }
}
