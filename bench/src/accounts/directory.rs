//! The directory of the bench: Debian's slapd, or the embedded one; over TLS.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings};
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_pki::Authority;

use super::{
    Kind,
    content::{ADMINISTRATOR, BASE, READER},
    slapd::Slapd,
};

/// A directory that runs until it is dropped.
pub(super) struct Directory {
    port: u16,
    authority: Authority,
    ca: PathBuf,
    _running: Running,
}

enum Running {
    #[expect(dead_code, reason = "ends when dropped")]
    Slapd(Slapd),
    #[expect(dead_code, reason = "ends when dropped")]
    Embedded(DropGuard),
}

impl Directory {
    /// A directory with this content, in this folder.
    pub(super) fn start(kind: Kind, folder: &Path, ldif: &str) -> anyhow::Result<Self> {
        let authority = Authority::create("bench directory")?;
        let ca = folder.join("ldap-ca.pem");
        std::fs::write(&ca, authority.certificate_pem())?;
        let identity = authority.issue_server(&["127.0.0.1"])?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let running = match kind {
            Kind::Slapd => {
                drop(listener);
                Running::Slapd(Slapd::start(folder, port, &ca, &identity, ldif)?)
            }
            Kind::Embedded => {
                let config = toolforge_directory::Config {
                    path: folder.join("directory.ldif"),
                    base: BASE.to_owned(),
                    admin_password: ADMINISTRATOR.1.to_owned(),
                    reader_password: READER.1.to_owned(),
                    tls: toolforge_pki::server_config(&identity, None)?,
                };
                let directory = toolforge_directory::Directory::open(config, Some(ldif))?;
                listener.set_nonblocking(true)?;
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let shutdown = CancellationToken::new();
                let token = shutdown.clone();
                tokio::spawn(async move { directory.run(listener, token).await });
                Running::Embedded(shutdown.drop_guard())
            }
        };
        Ok(Self {
            port,
            authority,
            ca,
            _running: running,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.port)
    }

    /// The file with the authority of its certificate.
    pub(super) fn ca(&self) -> &Path {
        &self.ca
    }

    /// A connection of the administrator.
    pub(super) async fn administrator(&self) -> anyhow::Result<Ldap> {
        let tls = toolforge_pki::client_config(self.authority.certificate_pem(), None)?;
        let settings = LdapConnSettings::new().set_config(Arc::new(tls));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.url()).await?;
        tokio::spawn(connection.drive());
        ldap.simple_bind(ADMINISTRATOR.0, ADMINISTRATOR.1)
            .await?
            .success()?;
        Ok(ldap)
    }
}
