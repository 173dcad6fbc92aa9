//! Secrets on disk: never as they are, and never without their key.

use super::*;

fn secret(name: &str, revision: u64) -> Write {
    write(
        "secrets",
        name,
        revision,
        Effect::Put,
        "correct horse battery staple",
    )
}

fn is_anywhere(scratch: &Scratch, text: &[u8]) -> bool {
    scratch.files().iter().any(|path| {
        std::fs::read(path)
            .unwrap()
            .windows(text.len())
            .any(|part| part == text)
    })
}

fn filled() -> Scratch {
    let scratch = Scratch::new();
    let (mut disk, _) = scratch.open().unwrap();
    let secret = secret("one", 1);
    disk.commit(std::slice::from_ref(&secret)).unwrap();
    let map = put("plain", 2, "for everybody");
    disk.commit(std::slice::from_ref(&map)).unwrap();
    disk.condense(vec![secret.2, map.2]);
    disk.condensing.take().unwrap().join();
    disk.commit(&[write(
        "secrets",
        "two",
        3,
        Effect::Put,
        "correct horse battery staple",
    )])
    .unwrap();
    disk.commit(&[write(
        "secrets",
        "two",
        4,
        Effect::Removed,
        "correct horse battery staple",
    )])
    .unwrap();
    disk.close();
    scratch
}

#[test]
fn secrets_are_encrypted_in_journals_and_snapshots() {
    let scratch = filled();
    assert!(is_anywhere(&scratch, b"for everybody"));
    assert!(!is_anywhere(&scratch, b"correct horse"));
    let (_disk, world) = scratch.open().unwrap();
    let found = &world.objects[&key("secrets", "one")];
    assert_eq!(found.value()["data"]["k"], "correct horse battery staple");
    assert_eq!(world.log.len(), 4);
}

#[test]
fn without_its_key_a_store_is_refused() {
    let scratch = filled();
    let keys = scratch.place().keys;
    let text = std::fs::read(&keys).unwrap();
    std::fs::remove_file(&keys).unwrap();
    let problem = scratch.open().unwrap_err();
    assert!(
        matches!(problem, DiskError::Key(KeyError::Missing { .. })),
        "{problem}"
    );
    assert!(!keys.exists(), "no new key is made for an old store");
    Vault::create(&keys).unwrap();
    let problem = scratch.open().unwrap_err();
    assert!(
        matches!(problem, DiskError::Key(KeyError::Wrong { .. })),
        "{problem}"
    );
    std::fs::remove_file(&keys).unwrap();
    whole_file::write(&keys, &text).unwrap();
    scratch.open().unwrap();
}

#[test]
fn a_new_key_replaces_the_old_one_at_the_next_opening() {
    for has_later_writes in [false, true] {
        let scratch = filled();
        if !has_later_writes {
            let (mut disk, world) = scratch.open().unwrap();
            disk.condense(world.objects.values().cloned().collect());
            disk.condensing.take().unwrap().join();
        }
        let keys = scratch.place().keys;
        let id = Vault::read(&keys).unwrap().unwrap().current();
        rotate_key(&scratch.place()).unwrap();
        let (mut disk, world) = scratch.open().unwrap();
        assert_eq!(world.revision, 4);
        disk.commit(&[secret("three", 5)]).unwrap();
        disk.close();
        let now = Vault::read(&keys).unwrap().unwrap();
        assert!(!now.holds(id) && !now.has_old_keys());
        let (_disk, world) = scratch.open().unwrap();
        assert_eq!(world.revision, 5);
        assert_eq!(world.objects.len(), 3);
    }
}
