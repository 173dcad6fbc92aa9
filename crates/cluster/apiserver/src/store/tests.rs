//! The store with real files: order, conflicts, history, and ends without notice.

use std::path::Path;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;

/// Remembers the revisions that it was shown.
#[derive(Default)]
struct Recorder(Mutex<Vec<u64>>);

impl Observer for Recorder {
    fn applied(&self, event: &Event) {
        self.0.lock().push(event.revision());
    }
}

/// Opens a store that lies, with its key, in `folder`.
fn open(folder: &Path) -> Store {
    Store::open(&folder.join("store"), Arc::new(Recorder::default()), |_| {}).unwrap()
}

fn maps() -> Resource {
    Resource::find("", "configmaps").unwrap()
}

fn key(name: &str) -> Key {
    Key::new(maps(), Some("a"), name)
}

fn put(name: &str, expected: Expected, data: &str) -> Change {
    change(name, expected, Effect::Put, data)
}

fn change(name: &str, expected: Expected, effect: Effect, data: &str) -> Change {
    let value = json!({"metadata":{"name":name,"namespace":"a"},"data":{"k":data}});
    Change {
        key: key(name),
        expected,
        effect,
        value,
        guards: Vec::new(),
    }
}

fn data(stored: &Stored) -> String {
    let value = stored.value();
    value
        .pointer("/data/k")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned()
}

/// Copies the files and the key as a crash would leave them, while the store still runs.
fn crash_copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    std::fs::copy(from.with_extension("key"), to.with_extension("key")).unwrap();
}

#[tokio::test]
async fn revisions_rise_by_one_over_all_resources() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let first = store.commit(put("one", Expected::Absent, "1")).await.unwrap();
    let second = store.commit(put("two", Expected::Absent, "2")).await.unwrap();
    assert_eq!((first.revision, second.revision), (1, 2));
    assert_eq!(
        second.value().pointer("/metadata/resourceVersion"),
        Some(&json!("2"))
    );
    assert_eq!(store.revision(), 2);
}

#[tokio::test]
async fn a_write_on_an_old_state_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let first = store.commit(put("one", Expected::Absent, "1")).await.unwrap();
    assert_eq!(
        store.commit(put("one", Expected::Absent, "2")).await.unwrap_err(),
        CommitError::Exists
    );
    store
        .commit(put("one", Expected::Revision(first.revision), "2"))
        .await
        .unwrap();
    let late = store
        .commit(put("one", Expected::Revision(first.revision), "3"))
        .await;
    assert_eq!(late.unwrap_err(), CommitError::Changed);
    assert_eq!(data(&store.get(&key("one")).unwrap()), "2");
}

#[tokio::test]
async fn a_guard_that_moved_stops_a_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let guard = store.commit(put("guard", Expected::Absent, "1")).await.unwrap();
    let mut guarded = put("one", Expected::Absent, "1");
    guarded.guards = vec![(key("guard"), guard.revision)];
    store
        .commit(change(
            "guard",
            Expected::Revision(guard.revision),
            Effect::Removed,
            "1",
        ))
        .await
        .unwrap();
    assert_eq!(store.commit(guarded).await.unwrap_err(), CommitError::Changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_on_one_state_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let first = store
        .commit(put("one", Expected::Absent, "0"))
        .await
        .unwrap()
        .revision;
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .commit(put("one", Expected::Revision(first), &writer.to_string()))
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut winners = 0;
    for writer in writers {
        winners += usize::from(writer.await.unwrap());
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn observers_see_every_write_in_order_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let store = Store::open(&folder.path().join("store"), recorder.clone(), |_| {}).unwrap();
    for name in ["one", "two", "three"] {
        let stored = store.commit(put(name, Expected::Absent, "1")).await.unwrap();
        assert_eq!(recorder.0.lock().last(), Some(&stored.revision));
    }
    assert_eq!(*recorder.0.lock(), [1, 2, 3]);
}

/// Says what a watch knows of the writes that it sees.
#[derive(Debug, Default)]
struct Tardy(Mutex<Vec<u64>>);

impl Observer for Tardy {
    fn applied(&self, event: &Event) {
        // Long enough for a watch that is let in too early to get ahead.
        for _ in 0..200 {
            std::thread::yield_now();
        }
        self.0.lock().push(event.revision());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn observers_see_every_write_before_a_watch_does() {
    let folder = tempfile::tempdir().unwrap();
    let observer = Arc::new(Tardy::default());
    let store = Store::open(&folder.path().join("store"), observer.clone(), |_| {}).unwrap();
    let store = Arc::new(store);
    store.make_room(maps());
    let mut changes = store.subscribe(maps()).unwrap();
    let watching = tokio::spawn({
        let (store, observer) = (store.clone(), observer.clone());
        async move {
            let mut seen = 0;
            while seen < 100 {
                changes.changed().await.unwrap();
                let (events, until) = store.events_after(maps(), seen).unwrap();
                let known = observer.0.lock().last().copied();
                if let Some(last) = events.last() {
                    assert!(known >= Some(last.revision()), "{known:?} of {until}");
                }
                seen = until;
            }
        }
    });
    for number in 0..100 {
        let name = format!("map-{number}");
        store.commit(put(&name, Expected::Absent, "1")).await.unwrap();
    }
    tokio::time::timeout(std::time::Duration::from_secs(30), watching)
        .await
        .expect("the watch sees all")
        .unwrap();
}

#[tokio::test]
async fn an_acknowledged_write_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let one = store.commit(put("one", Expected::Absent, "1")).await.unwrap();
    store
        .commit(put("one", Expected::Revision(one.revision), "2"))
        .await
        .unwrap();
    let two = store.commit(put("two", Expected::Absent, "1")).await.unwrap();
    store
        .commit(change(
            "two",
            Expected::Revision(two.revision),
            Effect::Removed,
            "1",
        ))
        .await
        .unwrap();
    crash_copy(&folder.path().join("store"), &folder.path().join("crashed/store"));
    let again = open(&folder.path().join("crashed"));
    assert_eq!(again.revision(), 4);
    assert_eq!(data(&again.get(&key("one")).unwrap()), "2");
    assert!(again.get(&key("two")).is_none());
    let (events, _) = again.events_after(maps(), 1).unwrap();
    assert_eq!(
        events.iter().map(|event| event.word()).collect::<Vec<_>>(),
        ["MODIFIED", "ADDED", "DELETED"]
    );
    assert_eq!(
        again
            .commit(put("three", Expected::Absent, "1"))
            .await
            .unwrap()
            .revision,
        5
    );
}

#[tokio::test]
async fn a_closed_store_takes_no_writes_and_keeps_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(put("one", Expected::Absent, "1")).await.unwrap();
    store.close();
    assert_eq!(
        store.commit(put("two", Expected::Absent, "1")).await.unwrap_err(),
        CommitError::Closed
    );
    drop(store);
    assert!(open(folder.path()).get(&key("one")).is_some());
}

#[tokio::test]
async fn a_listing_can_be_had_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let one = store.commit(put("one", Expected::Absent, "old")).await.unwrap();
    let two = store.commit(put("two", Expected::Absent, "1")).await.unwrap();
    store
        .commit(put("one", Expected::Revision(one.revision), "new"))
        .await
        .unwrap();
    store
        .commit(change(
            "two",
            Expected::Revision(two.revision),
            Effect::Removed,
            "1",
        ))
        .await
        .unwrap();
    store.commit(put("three", Expected::Absent, "1")).await.unwrap();
    let then = store.list_page(maps(), Some("a"), None, Some(2)).unwrap();
    let names: Vec<&str> = then
        .objects
        .iter()
        .map(|stored| stored.key.name.as_str())
        .collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(data(&then.objects[0]), "old");
    let after = Some(("a".to_owned(), "one".to_owned()));
    assert_eq!(
        store
            .list_page(maps(), Some("a"), after.as_ref(), Some(2))
            .unwrap()
            .objects
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_objects_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let padding = "x".repeat(1500);
    let writes = (0..10_000).map(|number| {
        let (store, padding) = (store.clone(), padding.clone());
        async move {
            store
                .commit(put(&format!("m{number}"), Expected::Absent, &padding))
                .await
        }
    });
    let done: Vec<_> = futures::StreamExt::collect(futures::StreamExt::buffer_unordered(
        futures::stream::iter(writes),
        256,
    ))
    .await;
    assert!(done.iter().all(Result::is_ok));
    store.close();
    drop(store);
    let again = open(folder.path());
    assert_eq!(again.list(maps(), Some("a")).objects.len(), 10_000);
}
