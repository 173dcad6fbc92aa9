use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

fn scratch() -> (tempfile::TempDir, Folder) {
    let folder = tempfile::tempdir().unwrap();
    let open = Folder::open_root(folder.path(), &Fence::default()).unwrap();
    (folder, open)
}

#[test]
fn files_are_written_whole_with_their_mode_and_leave_nothing_behind() {
    let (path, folder) = scratch();
    folder.write("a", b"one", 0o400, None).unwrap();
    folder.write("a", b"two", 0o400, None).unwrap();
    assert_eq!(std::fs::read(path.path().join("a")).unwrap(), b"two");
    assert_eq!(
        path.path().join("a").metadata().unwrap().permissions().mode() & 0o7777,
        0o400
    );
    assert_eq!(std::fs::read_dir(path.path()).unwrap().count(), 1);
    assert_eq!(folder.read("a", 10).unwrap().unwrap(), b"two");
    assert!(folder.read("missing", 10).unwrap().is_none());
    assert!(matches!(folder.read("a", 2), Err(FileError::TooLarge { .. })));
}

#[test]
fn a_link_is_replaced_and_its_target_is_not_touched() {
    let (path, folder) = scratch();
    std::fs::write(path.path().join("target"), "mine").unwrap();
    symlink("target", path.path().join("link")).unwrap();
    assert!(matches!(folder.read("link", 10), Err(FileError::InTheWay { .. })));
    folder.write("link", b"new", 0o600, None).unwrap();
    assert_eq!(
        std::fs::read_to_string(path.path().join("target")).unwrap(),
        "mine"
    );
    assert!(!path.path().join("link").symlink_metadata().unwrap().is_symlink());
}

#[test]
fn folders_behind_links_are_not_entered() {
    let (path, folder) = scratch();
    std::fs::create_dir(path.path().join("real")).unwrap();
    symlink("real", path.path().join("link")).unwrap();
    assert!(matches!(folder.open("link"), Err(FileError::InTheWay { .. })));
    assert!(matches!(
        folder.ensure("link", 0o755, None),
        Err(FileError::InTheWay { .. })
    ));
    assert!(folder.open("nothing").unwrap().is_none());
}

#[test]
fn folders_appear_whole_and_existing_ones_are_left() {
    let (path, folder) = scratch();
    folder
        .make("home", 0o2775, None, |inner| {
            inner.ensure("logs", 0o2775, None).map(|_| ())
        })
        .unwrap();
    let home = path.path().join("home");
    assert_eq!(home.metadata().unwrap().mode() & 0o7777, 0o2775);
    assert!(home.join("logs").is_dir());
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
    folder.ensure("home", 0o2775, None).unwrap();
    assert_eq!(home.metadata().unwrap().mode() & 0o7777, 0o700);
    assert!(folder.make("home", 0o755, None, |_| Ok(())).is_err());
    assert_eq!(
        std::fs::read_dir(path.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
}

#[test]
fn a_planted_pipe_does_not_hold_anybody_up() {
    let (path, folder) = scratch();
    let pipe = path.path().join("pipe");
    fs::mknodat(fs::CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert!(matches!(folder.read("pipe", 10), Err(FileError::InTheWay { .. })));
}

#[test]
fn links_are_set_in_one_step() {
    let (path, folder) = scratch();
    folder.link("current", "one", None).unwrap();
    folder.link("current", "two", None).unwrap();
    assert_eq!(folder.link_text("current").unwrap().as_deref(), Some("two"));
    assert_eq!(folder.link_text("missing").unwrap(), None);
    assert_eq!(std::fs::read_dir(path.path()).unwrap().count(), 1);
    std::fs::write(path.path().join("file"), "one").unwrap();
    assert_eq!(folder.link_text("file").unwrap(), None);
}

#[test]
fn as_root_files_belong_to_their_owner_from_the_beginning() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (path, folder) = scratch();
    let owner = Some(Owner {
        uid: 54321,
        gid: 54322,
    });
    folder.make("home", 0o2775, owner, |_| Ok(())).unwrap();
    let home = folder.open("home").unwrap().unwrap();
    home.write("file", b"x", 0o600, owner).unwrap();
    home.link("link", "file", owner).unwrap();
    for name in ["home", "home/file", "home/link"] {
        let stat = path.path().join(name).symlink_metadata().unwrap();
        assert_eq!((stat.uid(), stat.gid()), (54321, 54322), "{name}");
    }
    assert_eq!(home.owner().unwrap(), 54321);
    assert_eq!(
        path.path().join("home").metadata().unwrap().mode() & 0o7777,
        0o2775,
        "a change of owner keeps setgid"
    );
}
