//! A directory that is served over LDAPS, and clients of it.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchEntry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_directory::{Config, Directory};
use toolforge_pki::{Authority, client_config, server_config};

pub(crate) const BASE: &str = "dc=toolforge,dc=org";
const LDIF: &str = "dn: ou=people,dc=toolforge,dc=org\nobjectClass: organizationalUnit\nou: people\n\n\
    dn: uid=ada,ou=people,dc=toolforge,dc=org\nobjectClass: posixAccount\nuid: ada\ncn: Ada Lovelace\n\
    uidNumber: 1001\ngidNumber: 1001\nhomeDirectory: /home/ada\nuserPassword: geheim\n";
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Served {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) url: String,
    pub(crate) ca: String,
    shutdown: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

pub(crate) fn config(folder: &Path, authority: &Authority) -> Config {
    let identity = authority.issue_server(&["localhost", "127.0.0.1"]).unwrap();
    Config {
        path: folder.join("directory.ldif"),
        base: BASE.to_owned(),
        admin_password: "admin-secret".to_owned(),
        reader_password: "reader-secret".to_owned(),
        tls: server_config(&identity, None).unwrap(),
    }
}

pub(crate) async fn serve_in(folder: tempfile::TempDir, ldif: Option<&str>) -> Served {
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

pub(crate) async fn serve() -> Served {
    serve_in(tempfile::tempdir().unwrap(), Some(LDIF)).await
}

impl Served {
    pub(crate) async fn anonymous(&self) -> Ldap {
        let tls = Arc::new(client_config(&self.ca, None).unwrap());
        let settings = LdapConnSettings::new().set_config(tls);
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &self.url).await.unwrap();
        tokio::spawn(connection.drive());
        ldap
    }

    pub(crate) async fn bound(&self, who: &str) -> Ldap {
        let mut ldap = self.anonymous().await;
        let name = format!("cn={who},{BASE}");
        ldap.simple_bind(&name, &format!("{who}-secret"))
            .await
            .unwrap()
            .success()
            .unwrap();
        ldap
    }

    pub(crate) async fn stop(self) -> tempfile::TempDir {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.running)
            .await
            .unwrap()
            .unwrap();
        self.folder
    }
}

pub(crate) fn set(values: &[&'static str]) -> HashSet<&'static str> {
    values.iter().copied().collect()
}

pub(crate) fn person(uid: &'static str) -> Vec<(&'static str, HashSet<&'static str>)> {
    vec![
        ("objectClass", set(&["account"])),
        ("uid", set(&[uid])),
        ("cn", set(&[uid])),
    ]
}

pub(crate) async fn names(ldap: &mut Ldap, filter: &str) -> Vec<String> {
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
