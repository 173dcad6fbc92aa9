//! The directory over LDAPS, as the `ldap3` client and `OpenLDAP`'s own programs see it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::{
    collections::HashSet,
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, Mod, Scope, SearchEntry, SearchOptions,
    adapters::{Adapter, EntriesOnly, PagedResults},
    controls::{
        EntryState, MakeCritical as _, RefreshMode, SyncInfo, SyncRequest, SyncState, parse_syncinfo,
    },
    exop::{WhoAmI, WhoAmIResp},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_directory::{Config, Directory};
use toolforge_pki::{Authority, client_config, server_config};

const BASE: &str = "dc=toolforge,dc=org";
const LDIF: &str = "dn: ou=people,dc=toolforge,dc=org\nobjectClass: organizationalUnit\nou: people\n\n\
    dn: uid=ada,ou=people,dc=toolforge,dc=org\nobjectClass: posixAccount\nuid: ada\ncn: Ada Lovelace\n\
    uidNumber: 1001\ngidNumber: 1001\nhomeDirectory: /home/ada\nuserPassword: geheim\n";
const DEADLINE: Duration = Duration::from_mins(1);

struct Served {
    folder: tempfile::TempDir,
    url: String,
    ca: String,
    shutdown: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

fn config(folder: &Path, authority: &Authority) -> Config {
    let identity = authority.issue_server(&["localhost", "127.0.0.1"]).unwrap();
    Config {
        path: folder.join("directory.ldif"),
        base: BASE.to_owned(),
        admin_password: "admin-secret".to_owned(),
        reader_password: "reader-secret".to_owned(),
        tls: server_config(&identity, None).unwrap(),
    }
}

async fn serve_in(folder: tempfile::TempDir, ldif: Option<&str>) -> Served {
    toolforge_pki::install_provider();
    let authority = Authority::load_or_create(folder.path(), "ca", "test authority").unwrap();
    let directory = Directory::open(config(folder.path(), &authority), ldif).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldaps://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let running = tokio::spawn(async move { directory.run(listener, token).await });
    Served {
        folder,
        url,
        ca: authority.certificate_pem().to_owned(),
        shutdown,
        running,
    }
}

async fn serve() -> Served {
    serve_in(tempfile::tempdir().unwrap(), Some(LDIF)).await
}

impl Served {
    async fn anonymous(&self) -> Ldap {
        let tls = Arc::new(client_config(&self.ca, None).unwrap());
        let settings = LdapConnSettings::new().set_config(tls);
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &self.url).await.unwrap();
        tokio::spawn(connection.drive());
        ldap
    }

    async fn bound(&self, who: &str) -> Ldap {
        let mut ldap = self.anonymous().await;
        let name = format!("cn={who},{BASE}");
        ldap.simple_bind(&name, &format!("{who}-secret"))
            .await
            .unwrap()
            .success()
            .unwrap();
        ldap
    }

    async fn stop(self) -> tempfile::TempDir {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.running)
            .await
            .unwrap()
            .unwrap();
        self.folder
    }
}

fn set(values: &[&'static str]) -> HashSet<&'static str> {
    values.iter().copied().collect()
}

fn person(uid: &'static str) -> Vec<(&'static str, HashSet<&'static str>)> {
    vec![
        ("objectClass", set(&["account"])),
        ("uid", set(&[uid])),
        ("cn", set(&[uid])),
    ]
}

async fn names(ldap: &mut Ldap, filter: &str) -> Vec<String> {
    let (entries, _) = ldap
        .search(BASE, Scope::Subtree, filter, vec!["1.1"])
        .await
        .unwrap()
        .success()
        .unwrap();
    entries
        .into_iter()
        .map(|entry| SearchEntry::construct(entry).dn)
        .collect()
}

#[tokio::test]
async fn anonymous_sees_the_root_entry_and_nothing_else() {
    let served = serve().await;
    let mut ldap = served.anonymous().await;
    let (root, _) = ldap
        .search("", Scope::Base, "(objectClass=*)", vec!["+"])
        .await
        .unwrap()
        .success()
        .unwrap();
    let root = SearchEntry::construct(root.into_iter().next().unwrap());
    assert_eq!(root.attrs["namingContexts"], [BASE]);
    assert!(
        root.attrs["supportedControl"]
            .iter()
            .any(|oid| oid == "1.3.6.1.4.1.4203.1.9.1.1")
    );
    let refused = ldap
        .search(BASE, Scope::Subtree, "(uid=ada)", vec!["*"])
        .await
        .unwrap();
    assert_eq!(refused.1.rc, 50);
    assert_eq!(
        ldap.compare("uid=ada,ou=people,dc=toolforge,dc=org", "uid", "ada")
            .await
            .unwrap()
            .0
            .rc,
        50
    );
}

#[tokio::test]
async fn wrong_passwords_and_empty_ones_are_refused() {
    let served = serve().await;
    let mut ldap = served.anonymous().await;
    assert_eq!(
        ldap.simple_bind("cn=admin,dc=toolforge,dc=org", "reader-secret")
            .await
            .unwrap()
            .rc,
        49
    );
    assert_eq!(
        ldap.simple_bind("cn=nobody,dc=toolforge,dc=org", "admin-secret")
            .await
            .unwrap()
            .rc,
        49
    );
    assert_eq!(
        ldap.simple_bind("cn=admin,dc=toolforge,dc=org", "")
            .await
            .unwrap()
            .rc,
        53
    );
    assert_eq!(ldap.simple_bind("not a name", "x").await.unwrap().rc, 34);
}

#[tokio::test]
async fn the_reader_reads_all_but_passwords_and_writes_nothing() {
    let served = serve().await;
    let mut ldap = served.bound("reader").await;
    let (found, _) = ldap
        .search(BASE, Scope::Subtree, "(uid=ADA)", vec!["*", "entryUUID"])
        .await
        .unwrap()
        .success()
        .unwrap();
    let ada = SearchEntry::construct(found.into_iter().next().unwrap());
    assert_eq!(ada.attrs["cn"], ["Ada Lovelace"]);
    assert!(ada.attrs.contains_key("entryUUID") && !ada.attrs.contains_key("userPassword"));
    assert!(
        !ada.attrs.contains_key("entryCSN"),
        "operational attributes come only when asked for"
    );
    assert!(names(&mut ldap, "(userPassword=geheim)").await.is_empty());
    assert_eq!(
        ldap.add("uid=eve,ou=people,dc=toolforge,dc=org", person("eve"))
            .await
            .unwrap()
            .rc,
        50
    );
    assert_eq!(
        ldap.delete("uid=ada,ou=people,dc=toolforge,dc=org")
            .await
            .unwrap()
            .rc,
        50
    );
    let (exop, _) = ldap.extended(WhoAmI).await.unwrap().success().unwrap();
    assert_eq!(
        exop.parse::<WhoAmIResp>().authzid,
        "dn:cn=reader,dc=toolforge,dc=org"
    );
}

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

#[tokio::test]
async fn limits_pages_and_scopes_are_kept() {
    let served = serve().await;
    let mut ldap = served.bound("admin").await;
    for at in 0..7 {
        let uid: &'static str = format!("user{at}").leak();
        ldap.add(&format!("uid={uid},ou=people,{BASE}"), person(uid))
            .await
            .unwrap()
            .success()
            .unwrap();
    }
    let adapters: Vec<Box<dyn Adapter<_, _>>> =
        vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(3))];
    let mut stream = ldap
        .streaming_search_with(adapters, BASE, Scope::Subtree, "(uid=user*)", vec!["uid"])
        .await
        .unwrap();
    let mut seen = HashSet::new();
    while let Some(entry) = stream.next().await.unwrap() {
        assert!(seen.insert(SearchEntry::construct(entry).dn));
    }
    stream.finish().await.success().unwrap();
    assert_eq!(seen.len(), 7);
    let cut = ldap
        .with_search_options(SearchOptions::new().sizelimit(2))
        .search(BASE, Scope::Subtree, "(uid=user*)", vec!["uid"])
        .await
        .unwrap();
    assert_eq!((cut.0.len(), cut.1.rc), (2, 4));
    let (one, _) = ldap
        .search(BASE, Scope::OneLevel, "(&)", vec!["1.1"])
        .await
        .unwrap()
        .success()
        .unwrap();
    assert_eq!(one.len(), 1);
    let missing = ldap
        .search("ou=x,dc=toolforge,dc=org", Scope::Base, "(&)", vec!["1.1"])
        .await
        .unwrap()
        .1;
    assert_eq!((missing.rc, missing.matched.as_str()), (32, BASE));
    let equal = ldap
        .compare("uid=ada,ou=people,dc=toolforge,dc=org", "cn", "ada  LOVELACE")
        .await
        .unwrap();
    assert!(equal.equal().unwrap());
}

fn sync(cookie: Option<Vec<u8>>, mode: RefreshMode) -> ldap3::controls::RawControl {
    SyncRequest {
        mode,
        cookie,
        reload_hint: false,
    }
    .critical()
    .into()
}

fn state(entry: &ldap3::ResultEntry) -> SyncState {
    let ldap3::controls::Control(Some(ldap3::controls::ControlType::SyncState), raw) = &entry.1[0] else {
        panic!("an entry of a synchronisation carries its state")
    };
    raw.parse()
}

async fn next<'a>(stream: &mut ldap3::SearchStream<'a, &'a str, Vec<&'a str>>) -> ldap3::ResultEntry {
    tokio::time::timeout(DEADLINE, stream.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_client_that_stays_learns_of_every_change_and_can_come_back_with_its_cookie() {
    let served = serve().await;
    let mut writer = served.bound("admin").await;
    let mut ldap = served.bound("reader").await;
    ldap.with_controls(vec![sync(None, RefreshMode::RefreshAndPersist)]);
    let mut stream = ldap
        .streaming_search(BASE, Scope::Subtree, "(uid=*)", vec!["uid"])
        .await
        .unwrap();
    assert!(matches!(state(&next(&mut stream).await).state, EntryState::Add));
    let refreshed = next(&mut stream).await;
    assert!(refreshed.is_intermediate());
    let SyncInfo::RefreshPresent {
        refresh_done: true, ..
    } = parse_syncinfo(refreshed)
    else {
        panic!("refresh ends")
    };

    let eve = "uid=eve,ou=people,dc=toolforge,dc=org";
    writer.add(eve, person("eve")).await.unwrap().success().unwrap();
    let added = state(&next(&mut stream).await);
    assert!(matches!(added.state, EntryState::Add));
    writer
        .modify(eve, vec![Mod::Replace("cn", set(&["E"]))])
        .await
        .unwrap()
        .success()
        .unwrap();
    let modified = state(&next(&mut stream).await);
    assert!(matches!(modified.state, EntryState::Modify));
    assert_eq!(modified.entry_uuid, added.entry_uuid);

    // Another connection, later, with the cookie of that change: only what came after it.
    writer.delete(eve).await.unwrap().success().unwrap();
    assert!(matches!(
        state(&next(&mut stream).await).state,
        EntryState::Delete
    ));
    writer
        .add("uid=mallory,ou=people,dc=toolforge,dc=org", person("mallory"))
        .await
        .unwrap()
        .success()
        .unwrap();
    let mut later = served.bound("reader").await;
    later.with_controls(vec![sync(modified.cookie, RefreshMode::RefreshOnly)]);
    let mut stream = later
        .streaming_search(BASE, Scope::Subtree, "(uid=*)", vec!["uid"])
        .await
        .unwrap();
    let first = next(&mut stream).await;
    assert_eq!(
        SearchEntry::construct(first).dn,
        "uid=mallory,ou=people,dc=toolforge,dc=org"
    );
    let SyncInfo::SyncIdSet {
        refresh_deletes: true,
        sync_uuids,
        ..
    } = parse_syncinfo(next(&mut stream).await)
    else {
        panic!("removals are named")
    };
    assert!(sync_uuids.contains(&added.entry_uuid));
    assert!(
        tokio::time::timeout(DEADLINE, stream.next())
            .await
            .unwrap()
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let served = serve().await;
    let tls = tokio_rustls::TlsConnector::from(Arc::new(client_config(&served.ca, None).unwrap()));
    let address = served.url.trim_start_matches("ldaps://").to_owned();
    let long = {
        let mut bytes = vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff];
        bytes.resize(3 << 20, 0x04);
        bytes
    };
    let samples: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0x30, 0x05, 0x02, 0x01, 0x01, 0x78, 0x00],
        vec![0x30, 0x80, 0x00, 0x00],
        vec![0x30; 4096],
        vec![0xff; 512],
        long,
    ];
    for bytes in samples {
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let mut stream = tls
            .connect("localhost".try_into().unwrap(), stream)
            .await
            .unwrap();
        // The server may hang up in the middle of what is sent.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest))
            .await
            .unwrap();
    }
    let mut ldap = served.bound("reader").await;
    assert_eq!(names(&mut ldap, "(uid=ada)").await.len(), 1);
}

fn run(served: &Served, program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    use std::io::Write as _;
    let ca = served.folder.path().join("ca.crt");
    let mut child = Command::new(program)
        .args(["-x", "-H", &served.url])
        .args(arguments)
        .env("LDAPTLS_CACERT", ca)
        .env("LDAPTLS_REQCERT", "demand")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openldaps_programs_work() {
    let served = serve().await;
    let admin = ["-D", "cn=admin,dc=toolforge,dc=org", "-w", "admin-secret"];
    let add =
        "dn: uid=grace,ou=people,dc=toolforge,dc=org\nobjectClass: account\nuid: grace\ncn: Grace Hopper\n";
    let Some(added) = run(&served, "ldapadd", &admin, add) else {
        eprintln!("skipped: ldap-utils is not installed");
        return;
    };
    assert!(added.status.success(), "{added:?}");
    let modify = "dn: uid=grace,ou=people,dc=toolforge,dc=org\nchangetype: modify\nreplace: cn\ncn: Admiral\n-\nadd: mail\nmail: g@x\n";
    let modified = run(&served, "ldapmodify", &admin, modify).unwrap();
    assert!(modified.status.success(), "{modified:?}");
    let reader = [
        "-D",
        "cn=reader,dc=toolforge,dc=org",
        "-w",
        "reader-secret",
        "-LLL",
        "-b",
        BASE,
    ];
    let search = |more: &[&str]| {
        let arguments: Vec<&str> = reader.iter().chain(more).copied().collect();
        let output = run(&served, "ldapsearch", &arguments, "").unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let found = search(&["-E", "pr=1/noprompt", "(|(cn=admiral)(uid=ada))", "cn", "mail"]);
    assert!(
        found.contains("cn: Admiral") && found.contains("mail: g@x") && found.contains("cn: Ada Lovelace"),
        "{found}"
    );
    let synced = search(&["-E", "!sync=ro", "(uid=grace)", "uid"]);
    assert!(synced.contains("uid: grace"), "{synced}");
    let again = run(&served, "ldapadd", &admin, add).unwrap();
    assert_eq!(again.status.code(), Some(68), "{again:?}");
    let who = run(&served, "ldapwhoami", &admin, "").unwrap();
    assert_eq!(
        String::from_utf8_lossy(&who.stdout).trim(),
        "dn:cn=admin,dc=toolforge,dc=org"
    );
    let gone = run(
        &served,
        "ldapdelete",
        &[&admin[..], &["uid=grace,ou=people,dc=toolforge,dc=org"]].concat(),
        "",
    )
    .unwrap();
    assert!(gone.status.success(), "{gone:?}");
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
async fn standard_programs_ask_for_tls_and_read_the_schema() {
    let served = serve().await;
    let url = served.url.replace("ldaps://", "ldap://");
    std::fs::write(served.folder.path().join("trusted.pem"), &served.ca).unwrap();
    let search = |arguments: &'static [&'static str]| {
        let mut command = Command::new("ldapsearch");
        command
            .env("LDAPTLS_CACERT", served.folder.path().join("trusted.pem"))
            .args([
                "-x",
                "-LLL",
                "-o",
                "ldif-wrap=no",
                "-H",
                &url,
                "-D",
                "cn=reader,dc=toolforge,dc=org",
                "-w",
                "reader-secret",
            ])
            .args(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let text = |output: &Output| {
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    let found = search(&["-ZZ", "-b", BASE, "(uid=ada)", "cn"]).await.unwrap();
    assert!(
        found.status.success() && text(&found).contains("cn: Ada Lovelace"),
        "{}",
        text(&found)
    );
    let plain = search(&["-b", BASE, "(uid=ada)"]).await.unwrap();
    assert!(
        text(&plain).contains("Confidentiality required"),
        "{}",
        text(&plain)
    );
    let root = search(&[
        "-ZZ",
        "-s",
        "base",
        "-b",
        "",
        "subschemaSubentry",
        "supportedExtension",
    ])
    .await
    .unwrap();
    assert!(
        text(&root).contains("subschemaSubentry: cn=Subschema")
            && text(&root).contains("1.3.6.1.4.1.1466.20037")
    );
    let schema = search(&[
        "-ZZ",
        "-s",
        "base",
        "-b",
        "cn=Subschema",
        "(objectClass=subschema)",
        "attributeTypes",
    ])
    .await
    .unwrap();
    assert!(
        text(&schema).contains("NAME 'homeDirectory'"),
        "{}",
        text(&schema)
    );
    let base = search(&["-ZZ", "-s", "base", "-b", BASE, "contextCSN"])
        .await
        .unwrap();
    assert!(text(&base).contains("contextCSN: 20"), "{}", text(&base));
}
