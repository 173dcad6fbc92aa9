//! A store of the first layout becomes one of ours.

use super::*;

/// Writes a store as the first layout had it.
fn write_legacy(folder: &Path, format: &str) {
    let database = fjall::Database::builder(folder).open().unwrap();
    let open = |name| {
        database
            .keyspace(name, fjall::KeyspaceCreateOptions::default)
            .unwrap()
    };
    open("meta").insert("format", format).unwrap();
    let json = br#"{"metadata":{"name":"one","namespace":"a"},"data":{"k":"correct horse"}}"#;
    let value = [7u64.to_be_bytes().as_slice(), json].concat();
    open("objects")
        .insert(key("secrets", "one").encode(), value)
        .unwrap();
    open("log").insert(9u64.to_be_bytes(), b"R").unwrap();
    database.persist(fjall::PersistMode::SyncAll).unwrap();
}

#[test]
fn it_is_converted_and_nothing_plain_is_left() {
    let scratch = Scratch::new();
    write_legacy(&scratch.place().folder, "toolforge-objects-1");
    let (disk, world) = scratch.open().unwrap();
    assert_eq!((world.revision, world.floor), (9, 9));
    assert_eq!(seen(&world), [("one".to_owned(), 7)]);
    drop(disk);
    for path in scratch.files() {
        assert!(path.is_file(), "{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes.windows(13).any(|part| part == b"correct horse"),
            "{}",
            path.display()
        );
    }
    let (_disk, world) = scratch.open().unwrap();
    assert_eq!(world.revision, 9);
}

#[test]
fn another_layout_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    write_legacy(&scratch.place().folder, "something else");
    assert!(matches!(scratch.open(), Err(DiskError::Format { .. })));
    assert!(scratch.place().folder.join("keyspaces").exists());
}
