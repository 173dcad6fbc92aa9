use std::os::unix::fs::{MetadataExt as _, symlink};

use super::*;
use crate::kubeconfig::{Access, Cluster};

fn place(root: &Path, home: &str) -> Result<Place, HomeError> {
    let ours = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    Place::new(root, &root.join(home), TOOL, ours.0, ours.1)
}

fn access() -> Access {
    let (certificate, key) = TOOL.credential_paths();
    Access {
        cluster: Cluster::new("https://127.0.0.1:6443", "CA").into(),
        user: "tf-alpha".to_owned(),
        namespace: "tool-alpha".to_owned(),
        certificate,
        key,
    }
}

fn identity(text: &str) -> Identity {
    Identity {
        certificate_pem: format!("certificate {text}"),
        key_pem: format!("PRIVATE KEY {text}"),
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

#[test]
fn homes_elsewhere_are_refused_with_the_attribute_and_the_rule() {
    let root = Path::new("/data/project");
    for home in [
        "/data/project",
        "/home/alpha",
        "/data/project/../x",
        "/data/projects/alpha",
        "/",
    ] {
        let error = Place::new(root, Path::new(home), TOOL, 1, 1)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("homeDirectory") && error.contains("/data/project"),
            "{home}: {error}"
        );
    }
    assert!(Place::new(root, Path::new("/data/project/alpha"), TOOL, 1, 1).is_ok());
}

#[test]
fn a_new_home_has_its_modes_and_logs_and_credentials() {
    let root = tempfile::tempdir().unwrap();
    let home = place(root.path(), "alpha")
        .unwrap()
        .open(&Fence::default())
        .unwrap();
    assert_eq!(home.certificate().unwrap(), None);
    home.put_credentials(&identity("one")).unwrap();
    assert_eq!(home.put_kubeconfig(&access()).unwrap(), None);
    let path = root.path().join("alpha");
    assert_eq!(
        (mode(&path), mode(&path.join("logs")), mode(&path.join(".kube"))),
        (0o2775, 0o2775, 0o775)
    );
    assert_eq!(mode(&path.join(".kube/config")), 0o600);
    for name in ["client.crt", "client.key"] {
        assert_eq!(mode(&path.join(".toolskube").join(name)), 0o400);
    }
    assert_eq!(home.certificate().unwrap().as_deref(), Some("certificate one"));
}

#[test]
fn at_every_moment_of_a_renewal_key_and_certificate_belong_together() {
    let root = tempfile::tempdir().unwrap();
    let home = place(root.path(), "alpha")
        .unwrap()
        .open(&Fence::default())
        .unwrap();
    home.put_credentials(&identity("0")).unwrap();
    let folder = root.path().join("alpha/.toolskube");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut looks = 0_u32;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // What the link names at one moment is a whole pair, or is gone because the next is in its place.
                let pair = folder.join(std::fs::read_link(folder.join(".current")).unwrap());
                let read = |name| std::fs::read_to_string(pair.join(name)).ok();
                if let (Some(certificate), Some(key)) = (read("client.crt"), read("client.key")) {
                    assert_eq!(certificate.rsplit(' ').next(), key.rsplit(' ').next());
                    looks += 1;
                }
            }
            looks
        });
        for turn in 1..100 {
            home.put_credentials(&identity(&turn.to_string())).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    let pairs = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(pairs, 4, "one pair, .current and two links");
}

#[test]
fn what_a_killed_attempt_left_is_cleared_away_by_the_next() {
    let root = tempfile::tempdir().unwrap();
    // As after SIGKILL in the middle: a half-made home, folder, pair and kubeconfig, under names that they never got.
    std::fs::create_dir_all(root.path().join(".toolforge-new-alpha/logs")).unwrap();
    let home = place(root.path(), "alpha")
        .unwrap()
        .open(&Fence::default())
        .unwrap();
    let path = root.path().join("alpha");
    for folder in [".toolforge-new-1", ".toolskube/.toolforge-new-2", ".kube"] {
        std::fs::create_dir_all(path.join(folder)).unwrap();
    }
    for file in [
        ".toolskube/.toolforge-new-2/client.key",
        ".toolskube/.toolforge-new-3",
        ".kube/.toolforge-new-4",
    ] {
        std::fs::write(path.join(file), "PRIVATE KEY").unwrap();
    }
    symlink(".pair-0", path.join(".toolskube/.toolforge-new-5")).unwrap();
    home.put_credentials(&identity("one")).unwrap();
    assert_eq!(home.put_kubeconfig(&access()).unwrap(), None);

    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !is_pair(name))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(root.path()), ["alpha"]);
    assert_eq!(names(&path), [".kube", ".toolskube", "logs"]);
    assert_eq!(
        names(&path.join(".toolskube")),
        [".current", "client.crt", "client.key"]
    );
    assert_eq!(names(&path.join(".kube")), ["config"]);
}

#[test]
fn planted_links_are_not_followed() {
    let root = tempfile::tempdir().unwrap();
    let secret = root.path().join("secret");
    std::fs::write(&secret, "untouched").unwrap();
    let home = place(root.path(), "alpha")
        .unwrap()
        .open(&Fence::default())
        .unwrap();
    home.put_credentials(&identity("one")).unwrap();
    let path = root.path().join("alpha");
    std::fs::remove_file(path.join(".toolskube/client.key")).unwrap();
    symlink(&secret, path.join(".toolskube/client.key")).unwrap();
    assert_eq!(home.certificate().unwrap(), None, "it is noticed");
    home.put_credentials(&identity("two")).unwrap();
    std::fs::create_dir(path.join(".kube")).unwrap();
    symlink(&secret, path.join(".kube/config")).unwrap();
    let warning = home.put_kubeconfig(&access()).unwrap().unwrap();
    assert!(
        warning.contains(".kube/config") && warning.contains("symbolic link"),
        "{warning}"
    );
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "untouched");
    assert_eq!(
        std::fs::read_to_string(path.join(".toolskube/client.key")).unwrap(),
        "PRIVATE KEY two"
    );

    std::fs::remove_dir_all(path.join(".toolskube")).unwrap();
    symlink(root.path(), path.join(".toolskube")).unwrap();
    assert!(home.put_credentials(&identity("three")).is_err());
}

#[test]
fn a_home_that_is_a_link_is_refused() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("beta")).unwrap();
    symlink("beta", root.path().join("alpha")).unwrap();
    assert!(matches!(
        place(root.path(), "alpha").unwrap().open(&Fence::default()),
        Err(HomeError::File(FileError::InTheWay { .. }))
    ));
}

#[test]
fn a_corrupt_kubeconfig_is_left_and_named() {
    let root = tempfile::tempdir().unwrap();
    let home = place(root.path(), "alpha")
        .unwrap()
        .open(&Fence::default())
        .unwrap();
    let kube = root.path().join("alpha/.kube");
    std::fs::create_dir(&kube).unwrap();
    std::fs::write(kube.join("config"), "{ not yaml").unwrap();
    let warning = home.put_kubeconfig(&access()).unwrap().unwrap();
    assert!(
        warning.contains("alpha/.kube/config") && warning.contains("move it away"),
        "{warning}"
    );
    assert_eq!(
        std::fs::read_to_string(kube.join("config")).unwrap(),
        "{ not yaml"
    );
}

#[test]
fn a_kubeconfig_that_somebody_is_changing_is_waited_for_and_left() {
    let root = tempfile::tempdir().unwrap();
    let home = place(root.path(), "alpha")
        .unwrap()
        .open(&Fence::default())
        .unwrap();
    let kube = root.path().join("alpha/.kube");
    std::fs::create_dir(&kube).unwrap();
    // As kubectl makes it.
    let (config, lock) = (kube.join("config"), kube.join("config.lock"));
    std::fs::write(&lock, "").unwrap();
    let warning = home.put_kubeconfig(&access()).unwrap().unwrap();
    assert!(
        warning.contains("config.lock") && warning.contains("somebody is changing"),
        "{warning}"
    );
    assert!(!config.exists() && lock.exists());
    std::thread::scope(|scope| {
        let ours = scope.spawn(|| home.put_kubeconfig(&access()).unwrap());
        std::fs::write(
            &config,
            "apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: []\ncurrent-context: theirs\n",
        )
        .unwrap();
        std::fs::remove_file(&lock).unwrap();
        assert_eq!(ours.join().unwrap(), None);
    });
    assert!(
        std::fs::read_to_string(&config)
            .unwrap()
            .contains("current-context: theirs")
    );
    assert!(lock.symlink_metadata().is_err(), "it is given back");
}

#[test]
fn a_lock_that_was_left_holds_up_nobody() {
    let root = tempfile::tempdir().unwrap();
    let home = place(root.path(), "alpha")
        .unwrap()
        .open(&Fence::default())
        .unwrap();
    let kube = root.path().join("alpha/.kube");
    std::fs::create_dir(&kube).unwrap();
    let lock = kube.join("config.lock");
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    std::fs::File::create(&lock).unwrap().set_modified(old).unwrap();
    assert_eq!(home.put_kubeconfig(&access()).unwrap(), None);
    assert!(lock.symlink_metadata().is_err());
    // Our own, of an attempt that was killed before it gave it back; there is nothing more to write.
    symlink("toolforge-accounts", &lock).unwrap();
    assert_eq!(home.put_kubeconfig(&access()).unwrap(), None);
    assert!(lock.symlink_metadata().is_err());
}

#[test]
fn the_home_of_another_tool_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    Place::new(root.path(), &root.path().join("beta"), TOOL, 60001, 60001)
        .unwrap()
        .open(&Fence::default())
        .unwrap();
    let error = Place::new(root.path(), &root.path().join("beta"), TOOL, 60002, 60002)
        .unwrap()
        .open(&Fence::default())
        .unwrap_err();
    assert!(
        matches!(
            error,
            HomeError::NotOwned {
                found: 60001,
                wanted: 60002,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn only_the_last_folder_is_made() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(
        place(root.path(), "a/b").unwrap().open(&Fence::default()),
        Err(HomeError::NoParent(_))
    ));
    std::fs::create_dir(root.path().join("a")).unwrap();
    place(root.path(), "a/b")
        .unwrap()
        .open(&Fence::default())
        .unwrap();
}
