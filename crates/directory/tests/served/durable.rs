//! What was acknowledged stays: over an ordered end, over a crash, and a file that is no directory, or damaged, is refused.

use std::path::Path;

use ldap3::Mod;
use toolforge_directory::Directory;
use toolforge_pki::Authority;

use super::scene::{BASE, config, names, person, serve, serve_in, set};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let served = serve().await;
    let mut ldap = served.bound("admin").await;
    let eve = "uid=eve,ou=people,dc=toolforge,dc=org";
    ldap.add(eve, person("eve")).await.unwrap().success().unwrap();
    let change = vec![
        Mod::Replace("cn", set(&["Eve Ünicode"])),
        Mod::Add("mail", set(&["e@example.org"])),
    ];
    ldap.modify(eve, change).await.unwrap().success().unwrap();
    ldap.delete("uid=ada,ou=people,dc=toolforge,dc=org")
        .await
        .unwrap()
        .success()
        .unwrap();
    ldap.modifydn(eve, "uid=eva", true, None)
        .await
        .unwrap()
        .success()
        .unwrap();
    let path = served.folder.path().join("directory.ldif");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777,
        0o600
    );
    let served = serve_in(served.stop().await, Some("this is not read, there is a file")).await;
    let mut ldap = served.bound("admin").await;
    assert_eq!(
        names(&mut ldap, "(cn=eve ünicode)").await,
        ["uid=eva,ou=people,dc=toolforge,dc=org"]
    );
    assert!(names(&mut ldap, "(uid=ada)").await.is_empty());
}

/// What a crash leaves: the files as they are while the directory runs.
fn after_a_crash(folder: &Path) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
    }
    left
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_crash_and_a_change_costs_no_new_file() {
    let served = serve().await;
    let path = served.folder.path().join("directory.ldif");
    let before = std::fs::read(&path).unwrap();
    let mut ldap = served.bound("admin").await;
    for uid in ["eve", "mallory"] {
        ldap.add(&format!("uid={uid},ou=people,{BASE}"), person(uid))
            .await
            .unwrap()
            .success()
            .unwrap();
    }
    let old = format!("uid=eve,ou=people,{BASE}");
    ldap.modifydn(&old, "uid=eva", true, None)
        .await
        .unwrap()
        .success()
        .unwrap();
    let ada = format!("uid=ada,ou=people,{BASE}");
    ldap.delete(&ada).await.unwrap().success().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let journal = journal_of(served.folder.path());
    let mode = std::os::unix::fs::PermissionsExt::mode(&journal.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let wanted = ["eva", "mallory"].map(|uid| format!("uid={uid},ou=people,{BASE}"));
    let left = after_a_crash(served.folder.path());
    let torn = after_a_crash(served.folder.path());
    let file = std::fs::OpenOptions::new()
        .append(true)
        .open(torn.path().join("directory.ldif.journal"));
    std::io::Write::write_all(&mut file.unwrap(), b"batch 400 0123").unwrap();
    let stopped = served.stop().await;
    assert!(
        !journal_of(stopped.path()).exists(),
        "an ordered end leaves one file"
    );
    for folder in [left, torn, stopped] {
        let served = serve_in(folder, None).await;
        let mut ldap = served.bound("admin").await;
        assert_eq!(names(&mut ldap, "(uid=*)").await, wanted);
        assert!(
            !journal_of(served.folder.path()).exists(),
            "a start takes the journal in"
        );
    }
}

fn journal_of(folder: &Path) -> std::path::PathBuf {
    folder.join("directory.ldif.journal")
}

#[tokio::test]
async fn a_journal_that_is_damaged_in_its_middle_is_reported() {
    let served = serve().await;
    let mut ldap = served.bound("admin").await;
    for uid in ["eve", "mallory"] {
        ldap.add(&format!("uid={uid},ou=people,{BASE}"), person(uid))
            .await
            .unwrap()
            .success()
            .unwrap();
    }
    let left = after_a_crash(served.folder.path());
    let mut bytes = std::fs::read(journal_of(left.path())).unwrap();
    bytes[100] ^= 0x04;
    std::fs::write(journal_of(left.path()), bytes).unwrap();
    let authority = Authority::load_or_create(left.path(), "ca", "test authority").unwrap();
    let error = Directory::open(config(left.path(), &authority), None).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        source.contains("at byte 0") && source.contains("backup"),
        "{source}"
    );
}

#[test]
fn a_bad_ldif_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create("test").unwrap();
    let error = Directory::open(
        config(folder.path(), &authority),
        Some("dn: ou=people,dc=toolforge,dc=org\nou people\n"),
    );
    let text = format!("{:#}", std::error::Error::source(&error.unwrap_err()).unwrap());
    assert!(text.contains("line 2"), "{text}");
    assert!(!folder.path().join("directory.ldif").exists());
}

#[tokio::test]
async fn an_ldif_without_the_folders_for_tools_gets_them() {
    let served = serve_in(
        tempfile::tempdir().unwrap(),
        Some("dn: dc=toolforge,dc=org\nobjectClass: domain\ndc: toolforge\n"),
    )
    .await;
    let mut ldap = served.bound("reader").await;
    for folder in ["ou=people", "ou=servicegroups", "ou=people,ou=servicegroups"] {
        let name = format!("{folder},{BASE}");
        let (found, _) = ldap
            .search(&name, ldap3::Scope::Base, "(objectClass=*)", vec!["ou"])
            .await
            .unwrap()
            .success()
            .unwrap();
        assert_eq!(found.len(), 1, "{name}");
    }
}
