//! The two servers that every case is tried on, and what is asked of them.

use std::{
    collections::HashSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Mod};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use toolforge_accounts::{Changes, LdapAccess, News, Snapshot, follow_directory};
use toolforge_directory::Directory;
use toolforge_model::Chain;
use toolforge_pki::Authority;

use crate::slapd::Slapd;

pub(crate) const BASE: &str = "dc=toolforge,dc=org";
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Embedded,
    Slapd,
}

impl Which {
    /// Those that this machine has. `cargo xtask test` installs slapd.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Embedded];
        if Slapd::is_installed() {
            all.push(Self::Slapd);
        } else {
            eprintln!("slapd is not installed: the embedded server only");
        }
        all
    }
}

/// A server that runs in a folder of its own.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    authority: Authority,
    running: Running,
}

enum Running {
    Embedded(Embedded),
    Slapd(Slapd),
}

struct Embedded {
    port: u16,
    shutdown: CancellationToken,
    task: Option<tokio::task::JoinHandle<()>>,
}

/// Where homes lie, as the directory has them.
pub(crate) struct Homes {
    pub(crate) tools: PathBuf,
    pub(crate) users: PathBuf,
}

impl Default for Homes {
    fn default() -> Self {
        Self {
            tools: "/data/project".into(),
            users: "/home".into(),
        }
    }
}

/// People, the admin group with ada, and these tools, of which grace is a maintainer.
pub(crate) fn ldif(homes: &Homes, tools: &[(&str, u32)]) -> String {
    let (projects, users) = (homes.tools.display(), homes.users.display());
    let mut text = format!(
        "dn: {BASE}\nobjectClass: domain\ndc: toolforge\n\n\
         dn: cn=reader,{BASE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
         userPassword: reader-secret\n\n"
    );
    for (dn, name) in [
        ("ou=people", "people"),
        ("ou=servicegroups", "servicegroups"),
        ("ou=people,ou=servicegroups", "people"),
    ] {
        write!(
            text,
            "dn: {dn},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n\n"
        )
        .unwrap();
    }
    for (uid, name, number) in [("ada", "Ada Lovelace", 40001), ("grace", "Grace Hopper", 40002)] {
        write!(
            text,
            "dn: uid={uid},ou=people,{BASE}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: {uid}\n\
             cn: {name}\nsn: {uid}\nuidNumber: {number}\ngidNumber: {number}\nhomeDirectory: {users}/{uid}\n\n"
        )
        .unwrap();
    }
    write!(
        text,
        "dn: cn=tools.admin,ou=servicegroups,{BASE}\nobjectClass: groupOfNames\nobjectClass: posixGroup\n\
         cn: tools.admin\ngidNumber: 40000\nmember: uid=ada,ou=people,{BASE}\n\n"
    )
    .unwrap();
    for (name, uid) in tools {
        write!(
            text,
            "dn: uid=tools.{name},ou=people,ou=servicegroups,{BASE}\nobjectClass: person\nobjectClass: posixAccount\n\
             uid: tools.{name}\ncn: tools.{name}\nsn: tools.{name}\nuidNumber: {uid}\ngidNumber: {uid}\n\
             homeDirectory: {projects}/{name}\n\n\
             dn: cn=tools.{name},ou=servicegroups,{BASE}\nobjectClass: groupOfNames\nobjectClass: posixGroup\n\
             cn: tools.{name}\ngidNumber: {uid}\nmember: uid=grace,ou=people,{BASE}\n\n"
        )
        .unwrap();
    }
    text
}

impl Server {
    pub(crate) async fn start(which: Which, tools: &[(&str, u32)]) -> Self {
        Self::start_limited(which, tools, "unlimited").await
    }

    /// As `start`; slapd answers the reader with so many entries at most.
    pub(crate) async fn start_limited(which: Which, tools: &[(&str, u32)], size_limit: &str) -> Self {
        Self::start_with(which, &ldif(&Homes::default(), tools), size_limit).await
    }

    /// With this content.
    pub(crate) async fn start_with(which: Which, text: &str, size_limit: &str) -> Self {
        toolforge_pki::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create("test authority").unwrap();
        let running = match which {
            Which::Slapd => {
                let (path, authority) = (folder.path(), &authority);
                Running::Slapd(Slapd::start(path, authority, text, size_limit))
            }
            Which::Embedded => {
                let port = toolforge_testkit::free_port();
                Running::Embedded(Embedded::start(folder.path(), &authority, Some(text), port).await)
            }
        };
        Self {
            folder,
            authority,
            running,
        }
    }

    /// With TLS from the first byte, and with `StartTLS`.
    pub(crate) fn urls(&self) -> (String, String) {
        match &self.running {
            Running::Slapd(slapd) => slapd.urls(),
            Running::Embedded(embedded) => (
                format!("ldaps://127.0.0.1:{}", embedded.port),
                format!("ldap://127.0.0.1:{}", embedded.port),
            ),
        }
    }

    pub(crate) fn ca_pem(&self) -> &str {
        self.authority.certificate_pem()
    }

    pub(crate) fn access(&self, who: &str) -> LdapAccess {
        LdapAccess::new(vec![self.urls().0], BASE, "tools")
            .trusting(Some(self.ca_pem().to_owned()))
            .bound_as(format!("cn={who},{BASE}"), format!("{who}-secret"))
    }

    pub(crate) async fn stop(&mut self) {
        match &mut self.running {
            Running::Slapd(slapd) => slapd.kill(),
            Running::Embedded(embedded) => embedded.stop().await,
        }
    }

    /// Runs it again after `stop`.
    pub(crate) async fn run(&mut self) {
        match &mut self.running {
            Running::Slapd(slapd) => slapd.run(),
            Running::Embedded(embedded) => {
                let port = embedded.port;
                *embedded = Embedded::start(self.folder.path(), &self.authority, None, port).await;
            }
        }
    }

    /// A connection of the administrator.
    pub(crate) async fn admin(&self) -> Ldap {
        let tls = toolforge_pki::client_config(self.ca_pem(), None).unwrap();
        let settings = LdapConnSettings::new().set_config(Arc::new(tls));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.urls().0)
            .await
            .unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind(&format!("cn=admin,{BASE}"), "admin-secret")
            .await
            .unwrap()
            .success()
            .unwrap();
        ldap
    }
}

impl Embedded {
    async fn start(folder: &Path, authority: &Authority, ldif: Option<&str>, port: u16) -> Self {
        let identity = authority.issue_server(&["127.0.0.1", "localhost"]).unwrap();
        let config = toolforge_directory::Config {
            path: folder.join("directory.ldif"),
            base: BASE.to_owned(),
            admin_password: "admin-secret".to_owned(),
            reader_password: "reader-secret".to_owned(),
            tls: toolforge_pki::server_config(&identity, None).unwrap(),
        };
        let directory = Directory::open(config, ldif).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let task = tokio::spawn(async move { directory.run(listener, token).await });
        Self {
            port,
            shutdown,
            task: Some(task),
        }
    }

    async fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// What a follower knows, and how long it takes until it knows something.
pub(crate) struct Follower {
    news: watch::Receiver<News>,
}

impl Follower {
    pub(crate) fn of(mut access: LdapAccess, changes: Changes) -> Self {
        access.pace.changes = changes;
        access.pace.differences_every = Duration::from_millis(50);
        Self {
            news: follow_directory(access).unwrap(),
        }
    }

    /// Waits until what is known satisfies a condition.
    pub(crate) async fn until(&mut self, what: &str, condition: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let known = self.news.wait_for(|news| {
            news.failure.is_none() && news.snapshot.as_ref().is_some_and(|snapshot| condition(snapshot))
        });
        let known = tokio::time::timeout(DEADLINE, known).await;
        assert!(known.is_ok(), "not within a minute: {what}");
        let known = known.unwrap().unwrap();
        known.snapshot.clone().unwrap()
    }

    /// Waits until the directory cannot be read; says why.
    pub(crate) async fn until_failing(&mut self) -> String {
        let known = self.news.wait_for(|news| news.failure.is_some());
        let known = tokio::time::timeout(DEADLINE, known).await.unwrap().unwrap();
        Chain(&**known.failure.as_ref().unwrap()).to_string()
    }
}

pub(crate) fn account(name: &str) -> String {
    format!("uid=tools.{name},ou=people,ou=servicegroups,{BASE}")
}

pub(crate) fn group(name: &str) -> String {
    format!("cn=tools.{name},ou=servicegroups,{BASE}")
}

/// Adds a tool's account, without a group.
pub(crate) async fn add_account(ldap: &mut Ldap, name: &str, uid: &str) {
    add_account_in(ldap, &Homes::default().tools, name, uid).await;
}

/// As `add_account`, with its home below this folder.
pub(crate) async fn add_account_in(ldap: &mut Ldap, homes: &Path, name: &str, uid: &str) {
    let full = format!("tools.{name}");
    let home = homes.join(name).display().to_string();
    let attributes = vec![
        ("objectClass", HashSet::from(["person", "posixAccount"])),
        ("uid", HashSet::from([full.as_str()])),
        ("cn", HashSet::from([full.as_str()])),
        ("sn", HashSet::from([full.as_str()])),
        ("uidNumber", HashSet::from([uid])),
        ("gidNumber", HashSet::from([uid])),
        ("homeDirectory", HashSet::from([home.as_str()])),
    ];
    ldap.add(&account(name), attributes)
        .await
        .unwrap()
        .success()
        .unwrap();
}

pub(crate) async fn replace(ldap: &mut Ldap, dn: &str, name: &str, values: &[&str]) {
    let change = vec![Mod::Replace(name, values.iter().copied().collect())];
    ldap.modify(dn, change).await.unwrap().success().unwrap();
}
