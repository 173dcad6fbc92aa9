//! Disks that are full or fail: writes are refused whole, and work again when the disk does.

use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::failing::{FailingVolume, Health};
use super::*;

fn open_on(scratch: &Scratch, health: &Arc<Health>) -> (Disk, World) {
    Disk::open_on(scratch.place(), Arc::new(FailingVolume(health.clone())), SMALL).unwrap()
}

#[test]
fn a_full_disk_refuses_and_takes_writes_again_when_there_is_space() {
    let scratch = Scratch::new();
    let health = Health::good();
    let (mut disk, _) = open_on(&scratch, &health);
    disk.commit(&[put("one", 1, "a")]).unwrap();
    health.room.store(50, Ordering::SeqCst);
    for revision in 2..5 {
        let problem = disk.commit(&[put("two", revision, "b")]).unwrap_err();
        assert!(problem.is_full(), "{problem}");
    }
    health.room.store(100_000, Ordering::SeqCst);
    disk.commit(&[put("three", 5, "c")]).unwrap();
    drop(disk);
    let (_disk, world) = scratch.open().unwrap();
    assert_eq!(seen(&world), [("one".to_owned(), 1), ("three".to_owned(), 5)]);
}

#[test]
fn what_a_crash_leaves_of_a_refused_write_is_not_read() {
    let scratch = Scratch::new();
    let health = Health::good();
    let (mut disk, _) = open_on(&scratch, &health);
    disk.commit(&[put("one", 1, "a")]).unwrap();
    health.room.store(50, Ordering::SeqCst);
    health.bad_cuts.store(u32::MAX, Ordering::SeqCst);
    disk.commit(&[put("two", 2, "b")]).unwrap_err();
    drop(disk);
    let (_disk, world) = scratch.open().unwrap();
    assert_eq!(seen(&world), [("one".to_owned(), 1)]);
}

#[test]
fn a_snapshot_that_does_not_fit_loses_nothing_and_is_written_later() {
    let scratch = Scratch::new();
    let health = Health::good();
    let (mut disk, _) = open_on(&scratch, &health);
    let mut objects = Vec::new();
    fill(&mut disk, &mut objects, 0, 30);
    health.room.store(100, Ordering::SeqCst);
    disk.condense(objects.clone());
    disk.condensing.take().unwrap().join();
    assert!(
        !scratch
            .files()
            .iter()
            .any(|path| path.extension().unwrap_or_default() == "tmp")
    );
    health.room.store(i64::MAX, Ordering::SeqCst);
    fill(&mut disk, &mut objects, 30, 300);
    assert!(disk.catalog.lock().snapshot > 30);
    assert!(scratch.bytes() < 40_000);
    drop(disk);
    assert_eq!(scratch.open().unwrap().1.revision, 330);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn of_any_history_of_failures_just_the_acknowledged_writes_come_back(
        steps in prop::collection::vec((0u8..6, 0i64..3000, 1u64..4), 1..60),
    ) {
        let scratch = Scratch::new();
        let health = Health::good();
        let (mut disk, _) = open_on(&scratch, &health);
        let mut objects: Vec<Arc<Stored>> = Vec::new();
        let mut revision = 0;
        for (step, room, count) in steps {
            match step {
                0 => health.room.store(room, Ordering::SeqCst),
                1 => health.bad_flushes.store(1, Ordering::SeqCst),
                2 => { health.bad_flushes.store(1, Ordering::SeqCst); health.bad_cuts.store(1, Ordering::SeqCst); }
                3 => {
                    health.bad_flushes.store(0, Ordering::SeqCst);
                    health.bad_cuts.store(0, Ordering::SeqCst);
                    health.room.store(i64::MAX, Ordering::SeqCst);
                    // Killed at this point, a write that neither could be flushed nor cut off may come back.
                    disk.close();
                    let (again, world) = open_on(&scratch, &health);
                    disk = again;
                    let mut expected: Vec<(String, u64)> = objects.iter().map(|stored| (stored.key.name.clone(), stored.revision)).collect();
                    expected.sort();
                    prop_assert_eq!(seen(&world), expected);
                    revision = world.revision;
                }
                _ => health.room.store(i64::MAX, Ordering::SeqCst),
            }
            let group: Vec<Write> = (0..count).map(|offset| put(&format!("m{offset}"), revision + 1 + offset, "data")).collect();
            revision += count;
            if disk.commit(&group).is_ok() {
                for (_, _, stored) in group {
                    objects.retain(|old| old.key != stored.key);
                    objects.push(stored);
                }
            }
            if disk.is_condensing_due() {
                disk.condense(objects.clone());
            }
        }
    }
}
