//! Debian's slapd in a folder of its own, with content synchronisation. Needs no root.

use std::{
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use toolforge_pki::Identity;

use super::content::{ADMINISTRATOR, BASE, READER};
use crate::process;

/// How long it may take until it listens.
const START: Duration = Duration::from_secs(20);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(10);

/// What accounts need of RFC 2307bis, which Debian does not bring along.
const SCHEMA: &str = "
attributetype ( 1.3.6.1.1.1.1.3 NAME 'homeDirectory' EQUALITY caseExactIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
objectclass ( 1.3.6.1.1.1.2.0 NAME 'posixAccount' SUP top AUXILIARY
  MUST ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory ) MAY userPassword )
objectclass ( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top AUXILIARY
  MUST gidNumber MAY userPassword )
";

/// A slapd that runs until it is dropped.
pub(super) struct Slapd(Child);

impl Slapd {
    /// A slapd with this content.
    pub(super) fn start(
        folder: &Path,
        port: u16,
        ca: &Path,
        identity: &Identity,
        ldif: &str,
    ) -> anyhow::Result<Self> {
        let find = |name| {
            process::find(name).with_context(|| {
                format!("there is no {name}; install Debian's slapd, or take --directory embedded")
            })
        };
        let at = |name: &str| folder.join(name);
        std::fs::write(at("slapd.pem"), &identity.certificate_pem)?;
        toolforge_pki::write_private(&at("slapd.key"), identity.key_pem.as_bytes())?;
        std::fs::write(at("accounts.schema"), SCHEMA)?;
        std::fs::write(at("content.ldif"), ldif)?;
        std::fs::write(at("slapd.conf"), configuration(folder, ca))?;
        std::fs::create_dir(at("slapd"))?;
        let added = Command::new(find("slapadd")?)
            .arg("-q")
            .arg("-f")
            .arg(at("slapd.conf"))
            .arg("-l")
            .arg(at("content.ldif"))
            .output()?;
        let said = String::from_utf8_lossy(&added.stderr);
        ensure!(added.status.success(), "slapadd fails: {said}");
        let child = Command::new(find("slapd")?)
            .arg("-f")
            .arg(at("slapd.conf"))
            .arg("-h")
            .arg(format!("ldaps://127.0.0.1:{port}"))
            // Without this it goes into the background.
            .args(["-d", "0"])
            .stdout(Stdio::null())
            .spawn()?;
        let slapd = Self(child);
        let ends = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(Instant::now() < ends, "slapd does not listen");
            std::thread::sleep(LOOK);
        }
        Ok(slapd)
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn configuration(folder: &Path, ca: &Path) -> String {
    let (folder, ca) = (folder.display(), ca.display());
    let ((administrator, password), (reader, _)) = (ADMINISTRATOR, READER);
    format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {folder}/accounts.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
TLSCACertificateFile {ca}
TLSCertificateFile {folder}/slapd.pem
TLSCertificateKeyFile {folder}/slapd.key
database mdb
suffix \"{BASE}\"
rootdn \"{administrator}\"
rootpw {password}
directory {folder}/slapd
maxsize 1073741824
index objectClass,entryUUID,entryCSN,uid,cn eq
limits dn.exact=\"{reader}\" size=unlimited
access to attrs=userPassword by anonymous auth
access to * by dn.exact=\"{reader}\" read by * none
overlay syncprov
syncprov-sessionlog 1000
"
    )
}
