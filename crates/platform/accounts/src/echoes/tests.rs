use super::*;

fn key() -> ObjectKey {
    ObjectKey {
        kind: "Role".to_owned(),
        namespace: "n".to_owned(),
        name: "r".to_owned(),
    }
}

#[test]
fn a_version_that_comes_after_its_write_is_ours_and_the_next_is_not() {
    let echoes = Echoes::default();
    echoes.begins(&key());
    assert!(!echoes.ends(&key(), Some("5"), false));
    assert!(echoes.is_own(&key(), "5"));
    assert!(!echoes.is_own(&key(), "5"));
    assert!(!echoes.is_own(&key(), "6"));
}

#[test]
fn a_version_that_comes_during_its_write_is_ours() {
    let echoes = Echoes::default();
    echoes.begins(&key());
    assert!(echoes.is_own(&key(), "5"));
    assert!(!echoes.ends(&key(), Some("5"), true), "nobody else wrote");
    assert!(!echoes.is_own(&key(), "6"));
}

#[test]
fn what_others_write_is_never_lost() {
    let echoes = Echoes::default();
    // Before ours, and after it, both heard of during our write.
    for (other, ours) in [("4", "5"), ("6", "5")] {
        echoes.begins(&key());
        assert!(echoes.is_own(&key(), other), "it waits");
        assert!(echoes.ends(&key(), Some(ours), false));
        let _ = echoes.is_own(&key(), ours);
    }
    // Instead of ours, when the watch had to list anew.
    echoes.begins(&key());
    assert!(!echoes.ends(&key(), Some("7"), false));
    assert!(!echoes.is_own(&key(), "8"));
    assert!(!echoes.is_own(&key(), "7"));
}

#[test]
fn a_write_that_fails_or_changes_nothing_leaves_nothing_behind() {
    let echoes = Echoes::default();
    echoes.begins(&key());
    assert!(echoes.is_own(&key(), "5"));
    assert!(echoes.ends(&key(), None, false), "nobody knows whose it was");
    echoes.begins(&key());
    assert!(!echoes.ends(&key(), Some("5"), true), "as the cache has it");
    assert!(echoes.0.lock().is_empty());
}
