//! A store of the layout before the journal is refused, left alone, and makes place for a backup.

use super::*;

#[test]
fn it_is_refused_with_the_way_out_and_left_alone() {
    let scratch = Scratch::new();
    let folder = scratch.place().folder;
    std::fs::create_dir_all(folder.join("keyspaces")).unwrap();
    std::fs::write(folder.join("version"), b"FJL\x03").unwrap();
    let Err(refused) = scratch.open() else {
        panic!("opened");
    };
    assert!(matches!(refused, DiskError::Legacy { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains(folder.to_str().unwrap()), "{text}");
    assert!(text.contains("move the folder aside"), "{text}");
    assert!(folder.join("keyspaces").exists() && folder.join("version").exists());
    assert!(
        !scratch.place().keys.exists(),
        "no key is made for what is refused"
    );
    // Moved aside, the way is free.
    std::fs::rename(&folder, folder.with_extension("aside")).unwrap();
    let (_disk, world) = scratch.open().unwrap();
    assert_eq!(world.revision, 0);
}
