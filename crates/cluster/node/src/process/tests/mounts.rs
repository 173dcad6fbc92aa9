//! Volumes in their places, and nowhere else.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::PathBuf,
};

use k8s_openapi::api::core::v1::SecurityContext;

use super::*;
use crate::runtime::{CreateError, Mount, MountSource};

const USER: u32 = 51_234;

fn mount(source: MountSource, at: &str) -> Mount {
    Mount {
        volume: "v".to_owned(),
        source,
        sub_path: None,
        path: at.into(),
        read_only: false,
        recursive_read_only: false,
        optional: false,
    }
}

/// A machine with a folder of a Pod that holds one file, as `volumes` would have made it.
fn furnished() -> (Machine, PathBuf) {
    let machine = Machine::new();
    let folder = machine.folder.path().join("volumes/disk/uid/v");
    fs::create_dir_all(&folder).expect("folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("mode");
    fs::write(folder.join("file"), "content").expect("written");
    (machine, folder)
}

fn wanting(script: &str, mounts: Vec<Mount>) -> CreateRequest {
    let mut request = request("demo", &["sh", "-c", script]);
    request.mounts = mounts;
    request.container.security_context = Some(SecurityContext {
        run_as_user: Some(i64::from(USER)),
        ..Default::default()
    });
    request
}

async fn prints(machine: &Machine, script: &str, mounts: Vec<Mount>) -> String {
    let (exit, output) = machine.run(wanting(script, mounts)).await;
    assert_eq!(exit.code, 0, "{}{}", output.output(), output.error());
    output.output()
}

async fn refused(machine: &Machine, mounts: Vec<Mount>) -> String {
    let created = machine.runtime.create(wanting("true", mounts)).await;
    let CreateError(why) = created.expect_err("refused");
    why
}

fn own(folder: &Path, at: &str) -> Mount {
    mount(MountSource::Folder(folder.to_owned()), at)
}

fn host(path: &Path, at: &str) -> Mount {
    mount(MountSource::Host(path.to_owned()), at)
}

#[tokio::test]
async fn a_volume_appears_where_the_machine_has_nothing() {
    if !is_root("mounting") {
        return;
    }
    let (machine, folder) = furnished();
    for at in [
        "/no-such-folder/deep",
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "/etc/no-such/x",
    ] {
        let script = format!("cat {at}/file; ls /proc/self /usr/bin >/dev/null");
        let text = prints(&machine, &script, vec![own(&folder, at)]).await;
        assert_eq!(text, "content", "{at}");
        assert!(!Path::new(at).exists(), "{at} must not appear on the machine");
    }
}

#[tokio::test]
async fn several_volumes_nest_and_everything_around_them_stays() {
    if !is_root("mounting") {
        return;
    }
    let (machine, folder) = furnished();
    let mut inner = own(&folder, "/no-such/a/b/c");
    inner.read_only = true;
    let scratch = machine.folder.path().join("volumes/disk/uid/scratch");
    fs::create_dir_all(&scratch).expect("folder");
    fs::set_permissions(&scratch, fs::Permissions::from_mode(0o777)).expect("mode");
    let mounts = vec![inner, own(&folder, "/run/no-such"), own(&scratch, "/no-such/a")];
    let script = "cat /no-such/a/b/c/file /run/no-such/file; echo x > /no-such/a/new; ls -A / | tr '\\n' ' '";
    let text = prints(&machine, script, mounts).await;
    let mut names: Vec<String> = fs::read_dir("/")
        .expect("listed")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
        .chain(["no-such".to_owned()])
        .collect();
    names.sort();
    let listed: Vec<&str> = text
        .strip_prefix("contentcontent")
        .expect("both")
        .split_whitespace()
        .collect();
    assert_eq!(listed.len(), names.len(), "{listed:?} {names:?}");
    assert_eq!(fs::read_to_string(scratch.join("new")).expect("kept"), "x\n");
}

#[tokio::test]
async fn what_is_read_only_cannot_be_written() {
    if !is_root("mounting") {
        return;
    }
    let (machine, folder) = furnished();
    let mut volume = own(&folder, "/no-such");
    volume.read_only = true;
    let mut place = host(&folder, folder.to_str().expect("text"));
    place.read_only = true;
    let script = format!(
        "cat /no-such/file; touch /no-such/new 2>/dev/null || echo -n ' no'; touch {}/new 2>/dev/null || echo -n ' no'",
        folder.display()
    );
    // The folders on the way are closed to all but root.
    for parent in folder.ancestors().skip(1).take(4) {
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).expect("mode");
    }
    assert_eq!(
        prints(&machine, &script, vec![volume, place]).await,
        "content no no"
    );
    assert!(!folder.join("new").exists());
}

#[tokio::test]
async fn a_part_of_a_volume_or_a_single_file_may_be_mounted() {
    if !is_root("mounting") {
        return;
    }
    let (machine, folder) = furnished();
    let mut file = own(&folder, "/etc/no-such.conf");
    file.sub_path = Some("file".to_owned());
    let mut over = own(&folder, "/etc/hostname");
    over.sub_path = Some("file".to_owned());
    let mut made = own(&folder, "/no-such");
    made.sub_path = Some("sub/folder".to_owned());
    let script = "cat /etc/no-such.conf /etc/hostname; echo x > /no-such/new; test -r /etc/passwd";
    assert_eq!(
        prints(&machine, script, vec![file, over, made]).await,
        "contentcontent"
    );
    assert_eq!(
        fs::read_to_string(folder.join("sub/folder/new")).expect("kept"),
        "x\n"
    );
}

#[tokio::test]
async fn links_that_a_tool_planted_lead_nowhere() {
    if !is_root("mounting") {
        return;
    }
    let (machine, folder) = furnished();
    symlink("/root", folder.join("out")).expect("link");
    let mut sub = own(&folder, "/no-such");
    sub.sub_path = Some("out".to_owned());
    let why = refused(&machine, vec![sub]).await;
    assert!(why.contains("failed to prepare subPath"), "{why}");
    let planted = folder.join("planted");
    symlink("/root", &planted).expect("link");
    std::os::unix::fs::lchown(&planted, Some(USER), None).expect("given away");
    let why = refused(&machine, vec![host(&planted, "/no-such")]).await;
    assert!(why.contains("only links of root"), "{why}");
}

#[tokio::test]
async fn what_a_container_writes_is_never_lost_in_a_mirror() {
    if !is_root("mounting") {
        return;
    }
    let (machine, folder) = furnished();
    let home = machine.folder.path().join("home");
    fs::create_dir(&home).expect("folder");
    chown(&home, Some(USER), None).expect("given away");
    let at = home.join("cache");
    let why = refused(&machine, vec![own(&folder, at.to_str().expect("text"))]).await;
    assert!(why.contains("may write to") && why.contains("make"), "{why}");
    assert!(!at.exists());
    fs::create_dir(&at).expect("folder");
    let created = machine
        .runtime
        .create(wanting("true", vec![own(&folder, at.to_str().expect("text"))]))
        .await;
    created.expect("there is a place now");
}

#[tokio::test]
async fn programs_and_probes_find_what_is_mounted() {
    if !is_root("mounting") {
        return;
    }
    let (machine, folder) = furnished();
    let program = folder.join("program");
    fs::write(&program, "#!/bin/sh\necho running; sleep 1000").expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
    let mut request = wanting("", vec![own(&folder, "/no-such")]);
    request.container.command = Some(vec!["/no-such/program".to_owned()]);
    request.container.working_dir = Some("/no-such".to_owned());
    let (id, output) = machine.start(request).await;
    until("its output", || (output.output() == "running\n").then_some(())).await;
    let probe = ["cat".to_owned(), "/no-such/file".to_owned()];
    let outcome = machine.runtime.exec(&id, &probe, DEADLINE).await;
    assert_eq!((outcome.success, outcome.output.as_str()), (true, "content"));
    machine.runtime.stop(&id, Stop::Force);
    machine.end(&id).await;
}

#[tokio::test]
async fn memory_of_the_node_is_seen_by_nobody_else() {
    if !is_root("mounting") {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let namespaces = Namespaces::create(&folder.path().join("volumes")).expect("namespaces");
    fs::create_dir_all(namespaces.memory_folder().join("uid/v")).expect("folder");
    fs::write(namespaces.memory_folder().join("uid/v/secret"), "x").expect("written");
    namespaces
        .mount_memory(Path::new("uid/v"), c"mode=0777,size=64k")
        .expect("mounted");
    let seen = folder.path().join("volumes/memory");
    assert_eq!(
        fs::read_dir(&seen).expect("listed").count(),
        0,
        "the machine sees an empty folder"
    );
    let view = namespaces
        .build(
            &[mount(
                MountSource::Folder(namespaces.memory_at().join("uid/v")),
                "/no-such",
            )],
            None,
        )
        .expect("built");
    let (inside, hidden) = view
        .within(|| {
            let full = fs::write("/no-such/big", vec![0; 1 << 20]);
            (
                full.is_err() && Path::new("/no-such").is_dir(),
                fs::read_dir(&seen).map_or(0, Iterator::count),
            )
        })
        .expect("entered");
    assert!(inside, "the limit of the memory holds");
    assert_eq!(hidden, 0, "a container sees no other Pod's memory");
    namespaces.unmount_memory(Path::new("uid/v")).expect("unmounted");
    assert!(namespaces.memory_folder().join("uid/v/secret").exists());
}
