//! `kubectl cp`, which is `tar` through `exec`.

use crate::harness::{Cluster, WAYS};

#[tokio::test(flavor = "multi_thread")]
async fn files_and_folders_go_both_ways() {
    let cluster = Cluster::start().await;
    cluster.pod("p", "exec sleep 1000").await;
    let place = tempfile::tempdir().unwrap();
    // The container's user is another one.
    std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let local = cluster.folder.path().join("local");
    std::fs::create_dir_all(local.join("deep")).unwrap();
    let big: Vec<u8> = (0..3_000_000u32)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    std::fs::write(local.join("deep/big"), &big).unwrap();
    std::fs::write(local.join("small"), "hello\n").unwrap();
    let local = local.to_str().unwrap();
    for way in WAYS {
        let there = place.path().join(way);
        let there = there.to_str().unwrap();
        cluster.run(way, &["cp", local, &format!("p:{there}")]).await.ok();
        assert!(std::fs::read(format!("{there}/deep/big")).unwrap() == big);
        let back = cluster.folder.path().join(format!("back-{way}"));
        let back = back.to_str().unwrap();
        cluster.run(way, &["cp", &format!("p:{there}"), back]).await.ok();
        assert!(std::fs::read(format!("{back}/deep/big")).unwrap() == big);
        assert_eq!(
            std::fs::read_to_string(format!("{back}/small")).unwrap(),
            "hello\n"
        );
    }
}
