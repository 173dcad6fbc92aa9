//! Backups and what is made of them.

use super::*;

fn backup(scratch: &Scratch, file: &Path) -> u64 {
    let (disk, world) = scratch.open().unwrap();
    let pieces = disk
        .sealer()
        .backup(world.revision, world.objects.values().cloned().collect());
    let bytes: Vec<u8> = pieces.flat_map(|piece| piece.to_vec()).collect();
    std::fs::write(file, bytes).unwrap();
    world.revision
}

/// A store with many objects, a backup of it, and where that lies.
fn made() -> (Scratch, PathBuf, u64) {
    let scratch = Scratch::new();
    let (mut disk, _) = scratch.open().unwrap();
    for revision in 1..=300 {
        let change = put(&format!("m{revision}"), revision, &"x".repeat(3000));
        disk.commit(&[change]).unwrap();
    }
    disk.commit(&[write("secrets", "one", 301, Effect::Put, "correct horse")])
        .unwrap();
    disk.close();
    let file = scratch.0.path().join("backup");
    let revision = backup(&scratch, &file);
    (scratch, file, revision)
}

#[test]
fn a_backup_comes_back_above_every_revision_that_was_seen() {
    let (scratch, file, revision) = made();
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(13).any(|part| part == b"correct horse"));
    assert_eq!(
        inspect(&file).unwrap(),
        Inspected {
            revision,
            objects: 301
        }
    );
    let (mut disk, _) = scratch.open().unwrap();
    disk.commit(&[put("later", 400, "x")]).unwrap();
    let refused = restore(&scratch.place(), &file, true, &mut |_| {});
    assert!(matches!(refused, Err(DiskError::Locked { .. })));
    drop(disk);
    let refused = restore(&scratch.place(), &file, false, &mut |_| {});
    assert!(matches!(refused, Err(DiskError::Occupied { .. })));
    let restored = restore(&scratch.place(), &file, true, &mut |_| {}).unwrap();
    assert!(restored.revision > 400);
    let (mut disk, world) = scratch.open().unwrap();
    assert_eq!(
        (world.revision, world.floor),
        (restored.revision, restored.revision)
    );
    assert_eq!(world.objects.len(), 301);
    let secret = &world.objects[&key("secrets", "one")];
    assert_eq!(
        (secret.revision, &secret.value()["data"]["k"]),
        (301, &json!("correct horse"))
    );
    disk.commit(&[put("next", restored.revision + 1, "x")]).unwrap();
    drop(disk);
    assert_eq!(scratch.open().unwrap().1.objects.len(), 302);
    let aside = Place {
        folder: restored.aside.unwrap(),
        keys: scratch.place().keys,
    };
    let (_disk, world) = Disk::open_on(aside, Arc::new(FileSystem), SMALL).unwrap();
    assert_eq!(world.revision, 400, "the old store is kept");
}

#[test]
fn a_damaged_backup_changes_nothing() {
    let (scratch, file, _) = made();
    let bytes = std::fs::read(&file).unwrap();
    for place in (0..bytes.len()).step_by(9973) {
        let mut changed = bytes.clone();
        changed[place] ^= 16;
        std::fs::write(&file, &changed).unwrap();
        assert!(
            restore(&scratch.place(), &file, true, &mut |_| {}).is_err(),
            "byte {place}"
        );
        assert!(inspect(&file).is_err());
        std::fs::write(&file, &bytes[..place]).unwrap();
        assert!(inspect(&file).is_err());
    }
    assert_eq!(scratch.open().unwrap().1.objects.len(), 301);
}

#[test]
fn a_backup_needs_its_key() {
    let (scratch, file, _) = made();
    let elsewhere = Scratch::new();
    let missing = restore(&elsewhere.place(), &file, false, &mut |_| {}).unwrap_err();
    assert!(
        matches!(missing, DiskError::Key(KeyError::Missing { .. })),
        "{missing}"
    );
    std::fs::copy(scratch.place().keys, elsewhere.place().keys).unwrap();
    let restored = restore(&elsewhere.place(), &file, false, &mut |_| {}).unwrap();
    assert_eq!((restored.objects, restored.aside), (301, None));
    assert_eq!(elsewhere.open().unwrap().1.objects.len(), 301);
}
