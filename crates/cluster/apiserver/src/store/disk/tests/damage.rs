//! Files that were changed: the store says so and names the file, or has everything that was acknowledged.

use super::*;

/// A store with files of every kind, closed; and what is in it.
fn made(is_closed: bool) -> (Scratch, Vec<(String, u64)>) {
    let scratch = Scratch::new();
    let (mut disk, _) = scratch.open().unwrap();
    let mut objects = Vec::new();
    fill(&mut disk, &mut objects, 0, 60);
    for revision in 61..=66 {
        disk.commit(&[write(
            "secrets",
            &format!("s{revision}"),
            revision,
            Effect::Put,
            "hidden",
        )])
        .unwrap();
    }
    if is_closed {
        disk.close();
    } else {
        drop(disk);
    }
    let (disk, world) = scratch.open().unwrap();
    drop(disk);
    let all = seen(&world);
    assert_eq!(world.revision, 66);
    (scratch, all)
}

/// Opens a changed copy: the error, or what must be there.
fn check(scratch: &Scratch, all: &[(String, u64)], what: &str) -> bool {
    match scratch.open() {
        Ok((_disk, world)) => {
            assert_eq!(world.revision, 66, "{what}");
            assert_eq!(seen(&world), all, "{what}");
            false
        }
        Err(problem) => {
            let text = problem.to_string();
            assert!(
                text.contains(scratch.place().folder.to_str().unwrap()),
                "{what}: {text}"
            );
            assert!(
                text.contains("restore") || matches!(problem, DiskError::Key(_) | DiskError::Format { .. }),
                "{what}: {text}"
            );
            true
        }
    }
}

fn put_back(files: &[(PathBuf, Vec<u8>)], scratch: &Scratch) {
    for path in scratch.files() {
        std::fs::remove_file(path).unwrap();
    }
    for (path, bytes) in files {
        std::fs::write(path, bytes).unwrap();
    }
}

fn contents(scratch: &Scratch) -> Vec<(PathBuf, Vec<u8>)> {
    scratch
        .files()
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes)
        })
        .collect()
}

#[test]
fn a_flipped_bit_anywhere_is_reported_or_does_no_harm() {
    for is_closed in [true, false] {
        let (scratch, all) = made(is_closed);
        let files = contents(&scratch);
        let mut reported = 0;
        for (path, bytes) in &files {
            for place in (0..bytes.len()).step_by(11) {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << (place % 8);
                std::fs::write(path, &changed).unwrap();
                reported += u32::from(check(&scratch, &all, &format!("{} byte {place}", path.display())));
                put_back(&files, &scratch);
            }
        }
        assert!(reported > 300, "only {reported} were noticed");
    }
}

#[test]
fn a_file_cut_anywhere_is_reported_or_does_no_harm() {
    let (scratch, all) = made(false);
    let files = contents(&scratch);
    for (path, bytes) in &files {
        for length in (0..bytes.len()).step_by(13) {
            std::fs::write(path, &bytes[..length]).unwrap();
            check(&scratch, &all, &format!("{} cut to {length}", path.display()));
            put_back(&files, &scratch);
        }
    }
}

#[test]
fn a_missing_file_is_reported() {
    let (scratch, all) = made(true);
    let files = contents(&scratch);
    let mut reported = 0;
    for (path, _) in &files {
        std::fs::remove_file(path).unwrap();
        reported += usize::from(check(&scratch, &all, &format!("{} removed", path.display())));
        put_back(&files, &scratch);
    }
    // The oldest journal may be history only.
    assert!(reported + 1 >= files.len(), "{reported} of {}", files.len());
}

#[test]
fn a_torn_last_write_is_dropped_whole() {
    let scratch = Scratch::new();
    let (mut disk, _) = scratch.open().unwrap();
    disk.commit(&[put("one", 1, "a")]).unwrap();
    let path = disk.journal.path.clone();
    let whole = std::fs::read(&path).unwrap();
    drop(disk);
    let note = scratch.place().folder.join(acknowledged::NAME);
    let noted = std::fs::read(&note).unwrap();
    let (mut disk, _) = scratch.open().unwrap();
    disk.commit(&[put("two", 2, &"x".repeat(300)), put("three", 3, "c")])
        .unwrap();
    drop(disk);
    let longer = std::fs::read(&path).unwrap();
    for length in whole.len()..longer.len() {
        std::fs::write(&path, &longer[..length]).unwrap();
        std::fs::write(&note, &noted).unwrap();
        let (mut disk, world) = scratch.open().unwrap();
        assert_eq!(seen(&world), [("one".to_owned(), 1)], "{length}");
        assert_eq!(world.log.len(), 1);
        disk.commit(&[put("four", 2, "d")]).unwrap();
        drop(disk);
        let (disk, world) = scratch.open().unwrap();
        assert_eq!(world.revision, 2);
        drop(disk);
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn damage_before_a_later_write_is_no_torn_write() {
    let scratch = Scratch::new();
    let (mut disk, _) = scratch.open().unwrap();
    let note = scratch.place().folder.join(acknowledged::NAME);
    let noted = std::fs::read(&note).unwrap();
    disk.commit(&[put("one", 1, "a")]).unwrap();
    disk.commit(&[put("two", 2, "b")]).unwrap();
    let path = disk.journal.path.clone();
    drop(disk);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[header::HEADER_BYTES + frame::HEAD_BYTES + 3] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    // As after a power cut: the note is from before both writes.
    std::fs::write(&note, noted).unwrap();
    assert!(matches!(scratch.open(), Err(DiskError::Damaged { .. })));
}
