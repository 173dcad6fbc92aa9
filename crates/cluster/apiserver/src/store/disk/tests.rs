//! The files: what comes back from them, and what does not when they were touched.

mod backups;
mod broken;
mod damage;
mod failing;
mod keys;
mod legacy_store;

use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use super::super::key::{Key, Resource};
use super::*;

/// Small enough that a few dozen writes make several files of each kind.
const SMALL: Limits = Limits {
    journal_bytes: 2000,
    snapshot_after_bytes: 8000,
    history_events: 20,
    history_bytes: 1 << 20,
};

/// A folder with a store and its key in it.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn place(&self) -> Place {
        Place::of(&self.0.path().join("store"))
    }

    fn open(&self) -> Result<(Disk, World), DiskError> {
        Disk::open_on(self.place(), Arc::new(FileSystem), SMALL)
    }

    /// The files of the store, by name.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.place().folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with(LOCK))
            .collect();
        files.sort();
        files
    }

    /// Bytes of all files, but for those that go while they are counted.
    fn bytes(&self) -> u64 {
        self.files()
            .iter()
            .filter_map(|path| match std::fs::metadata(path) {
                Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => None,
                found => Some(found.unwrap().len()),
            })
            .sum()
    }
}

fn key(plural: &str, name: &str) -> Key {
    Key::new(Resource::find("", plural).unwrap(), Some("a"), name)
}

fn write(plural: &str, name: &str, revision: u64, effect: Effect, data: &str) -> Write {
    let value = json!({"metadata":{"name":name,"namespace":"a"},"data":{"k":data}});
    (
        effect,
        false,
        Arc::new(Stored::stamp(key(plural, name), revision, value, "ADDED")),
    )
}

fn put(name: &str, revision: u64, data: &str) -> Write {
    write("configmaps", name, revision, Effect::Put, data)
}

/// Names and revisions.
fn seen(world: &World) -> Vec<(String, u64)> {
    let mut seen: Vec<(String, u64)> = world
        .objects
        .iter()
        .map(|(key, stored)| (key.name.clone(), stored.revision))
        .collect();
    seen.sort();
    seen
}

/// Writes `count` revisions after `from` to a few objects, with snapshots when they are due.
fn fill(disk: &mut Disk, world: &mut Vec<Arc<Stored>>, from: u64, count: u64) {
    for revision in from + 1..=from + count {
        let name = format!("m{}", revision % 7);
        let change = put(&name, revision, &"x".repeat(100));
        world.retain(|stored| stored.key.name != name);
        world.push(change.2.clone());
        disk.commit(&[change]).unwrap();
        if disk.is_condensing_due() {
            disk.condense(world.clone());
            disk.condensing.take().unwrap().join();
        }
    }
}

#[test]
fn what_was_written_comes_back() {
    let scratch = Scratch::new();
    let (mut disk, world) = scratch.open().unwrap();
    assert_eq!((world.revision, world.objects.len()), (0, 0));
    disk.commit(&[put("one", 1, "a"), put("two", 2, "b")]).unwrap();
    disk.commit(&[write("configmaps", "one", 5, Effect::Removed, "a")])
        .unwrap();
    drop(disk);
    let (_disk, world) = scratch.open().unwrap();
    assert_eq!(seen(&world), [("two".to_owned(), 2)]);
    assert_eq!((world.revision, world.floor), (5, 0));
    let log: Vec<(u64, Effect)> = world
        .log
        .iter()
        .map(|logged| (logged.object.revision, logged.effect))
        .collect();
    assert_eq!(log, [(1, Effect::Put), (2, Effect::Put), (5, Effect::Removed)]);
}

#[test]
fn many_writes_keep_the_files_small_and_their_history_long_enough() {
    let scratch = Scratch::new();
    let (mut disk, _) = scratch.open().unwrap();
    let mut objects = Vec::new();
    for round in 0..20 {
        fill(&mut disk, &mut objects, round * 100, 100);
        assert!(
            scratch.bytes() < 20_000,
            "{} bytes after round {round}",
            scratch.bytes()
        );
    }
    disk.close();
    let (_disk, world) = scratch.open().unwrap();
    assert_eq!(world.revision, 2000);
    assert_eq!(world.objects.len(), 7);
    assert_eq!(world.log.len() as u64, SMALL.history_events);
    assert_eq!(world.floor, 2000 - SMALL.history_events);
}

#[test]
fn opening_again_and_again_goes_on_where_it_ended() {
    let scratch = Scratch::new();
    let mut objects = Vec::new();
    for round in 0..30 {
        let (mut disk, world) = scratch.open().unwrap();
        assert_eq!(world.revision, round * 13);
        fill(&mut disk, &mut objects, round * 13, 13);
        if round % 2 == 0 {
            disk.close();
        }
    }
}

#[test]
fn a_store_is_open_once() {
    let scratch = Scratch::new();
    let _open = scratch.open().unwrap();
    assert!(matches!(scratch.open(), Err(DiskError::Locked { .. })));
}

#[test]
fn objects_are_kept_whether_or_not_their_kind_is_known() {
    let scratch = Scratch::new();
    let (mut disk, _) = scratch.open().unwrap();
    let foreign = Key {
        resource: Resource {
            group: "example.org",
            plural: "things",
        },
        namespace: "a".to_owned(),
        name: "one".to_owned(),
    };
    let stored = Arc::new(Stored::stamp(
        foreign,
        1,
        json!({"metadata":{"name":"one"}}),
        "ADDED",
    ));
    disk.commit(&[(Effect::Put, true, stored)]).unwrap();
    drop(disk);
    for _ in 0..2 {
        let (mut disk, world) = scratch.open().unwrap();
        let kept: Vec<Arc<Stored>> = world.objects.values().cloned().collect();
        assert_eq!(kept.len(), 1);
        disk.condense(kept);
        disk.condensing.take().unwrap().join();
    }
}

#[test]
fn overwriting_one_object_again_and_again_takes_little_space() {
    // The defaults, and the bound of 48 MiB on a hundred thousand writes, on a scale of one to twenty.
    const SCALE: u64 = 20;
    const BOUND: u64 = (48 << 20) / SCALE;
    let whole = Limits::default();
    let limits = Limits {
        journal_bytes: whole.journal_bytes / SCALE,
        snapshot_after_bytes: whole.snapshot_after_bytes / SCALE,
        history_events: whole.history_events / SCALE,
        history_bytes: whole.history_bytes / SCALE,
    };
    let scratch = Scratch::new();
    let (mut disk, _) = Disk::open_on(scratch.place(), Arc::new(FileSystem), limits).unwrap();
    let data = "x".repeat(1500);
    let mut largest = 0;
    for group in 0..500 {
        let writes: Vec<Write> = (1..=10)
            .map(|number| put("one", group * 10 + number, &data))
            .collect();
        disk.commit(&writes).unwrap();
        if disk.is_condensing_due() {
            disk.condense(vec![writes.last().unwrap().2.clone()]);
        }
        largest = largest.max(scratch.bytes());
    }
    disk.close();
    assert!(largest < BOUND, "{largest} bytes");
    let (_disk, world) = Disk::open_on(scratch.place(), Arc::new(FileSystem), limits).unwrap();
    assert_eq!((world.revision, world.objects.len()), (5000, 1));
    assert_eq!(world.log.len() as u64, limits.history_events);
}
