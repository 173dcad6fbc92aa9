//! What an operator keeps: backups, and the key.

use std::os::unix::fs::PermissionsExt as _;

use toolforge_testkit::{Outcome, Scratch};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

fn secret(scratch: &Scratch) -> String {
    scratch
        .kubectl(&["get", "secret", "s", "-o", "jsonpath={.data.word}"])
        .ok()
}

#[test]
fn a_backup_of_a_running_platform_brings_back_what_was() {
    let scratch = Scratch::new(PROGRAM);
    let file = scratch.path().join("backup");
    let name = file.to_str().unwrap();
    let toolforge = |arguments: &[&str]| Outcome::of(&mut scratch.command(arguments));
    let platform = scratch.start(&[]);
    scratch
        .kubectl(&["create", "secret", "generic", "s", "--from-literal=word=hush"])
        .ok();
    let told = toolforge(&["cluster", "backup", name]).ok();
    assert!(told.contains("objects at revision"), "{told}");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    scratch.kubectl(&["delete", "secret", "s"]).ok();
    scratch.kubectl(&["create", "configmap", "later"]).ok();
    let running = toolforge(&["cluster", "restore", "--force", name]).refused();
    assert!(running.contains("already running"), "{running}");
    assert_eq!(platform.stop(), 0);
    let refused = toolforge(&["cluster", "restore", name]).refused();
    assert!(refused.contains("--force"), "{refused}");
    let told = toolforge(&["cluster", "restore", "--force", name]).ok();
    assert!(told.contains("before-restore-1"), "{told}");

    let platform = scratch.start(&[]);
    assert_eq!(secret(&scratch), "aHVzaA==");
    scratch.kubectl(&["get", "configmap", "later"]).refused();
    assert_eq!(platform.stop(), 0);

    // A new key, and the old one is not missed.
    let key = scratch.data().join("store.key");
    let before = std::fs::read(&key).unwrap();
    toolforge(&["cluster", "rotate-key"]).ok();
    let platform = scratch.start(&[]);
    assert_eq!(secret(&scratch), "aHVzaA==");
    assert_ne!(std::fs::read(&key).unwrap(), before);
    assert_eq!(platform.stop(), 0);
}
