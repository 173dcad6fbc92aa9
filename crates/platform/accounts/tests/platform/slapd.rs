//! Debian's slapd in a folder of its own, with content synchronisation and password policy, over TLS. Needs no root.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use toolforge_pki::Authority;
use toolforge_testkit::free_port;

use crate::servers::{BASE, DEADLINE};

/// What accounts need of RFC 2307bis, which Debian does not bring along.
const SCHEMA: &str = "
attributetype ( 1.3.6.1.1.1.1.3 NAME 'homeDirectory' EQUALITY caseExactIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.1.1.1.4 NAME 'loginShell' EQUALITY caseExactIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
objectclass ( 1.3.6.1.1.1.2.0 NAME 'posixAccount' SUP top AUXILIARY
  MUST ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory ) MAY ( userPassword $ loginShell $ description ) )
objectclass ( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top AUXILIARY
  MUST gidNumber MAY ( userPassword $ description ) )
";

/// A slapd that runs, until it is dropped.
pub(crate) struct Slapd {
    folder: PathBuf,
    ports: (u16, u16),
    child: Option<Child>,
}

impl Slapd {
    /// Whether this machine has one.
    pub(crate) fn is_installed() -> bool {
        Path::new("/usr/sbin/slapd").exists()
    }

    /// A slapd with this content, which answers with so many entries at most.
    pub(crate) fn start(folder: &Path, authority: &Authority, ldif: &str, size_limit: &str) -> Self {
        let identity = authority.issue_server(&["127.0.0.1", "localhost"]).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("ca.pem", authority.certificate_pem());
        write("server.pem", &identity.certificate_pem);
        write("server.key", &identity.key_pem);
        write("accounts.schema", SCHEMA);
        write("content.ldif", ldif);
        write("slapd.conf", &configuration(folder, size_limit));
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let added = Command::new("/usr/sbin/slapadd")
            .arg("-q")
            .arg("-f")
            .arg(folder.join("slapd.conf"))
            .arg("-l")
            .arg(folder.join("content.ldif"))
            .output()
            .unwrap();
        assert!(
            added.status.success(),
            "{}",
            String::from_utf8_lossy(&added.stderr)
        );
        let mut slapd = Self {
            folder: folder.to_owned(),
            ports: (free_port(), free_port()),
            child: None,
        };
        slapd.run();
        slapd
    }

    /// Runs it again after `kill`, on the ports that it had.
    pub(crate) fn run(&mut self) {
        let (tls, plain) = self.ports;
        let mut child = Command::new("/usr/sbin/slapd")
            .arg("-f")
            .arg(self.folder.join("slapd.conf"))
            .arg("-h")
            .arg(format!("ldaps://127.0.0.1:{tls} ldap://127.0.0.1:{plain}"))
            .args(["-d", "stats"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        self.child = Some(child);
        let mut said = String::new();
        let started = lines.by_ref().map_while(Result::ok).any(|line| {
            said.push_str(&line);
            said.push('\n');
            line.contains("slapd starting")
        });
        assert!(started, "slapd does not start:\n{said}");
        // What it says from here on is read and forgotten, so that it never waits for a reader.
        std::thread::spawn(move || lines.count());
        // It says so a moment before it listens.
        [tls, plain].into_iter().for_each(wait_for_listener);
    }

    pub(crate) fn urls(&self) -> (String, String) {
        let (tls, plain) = self.ports;
        (
            format!("ldaps://127.0.0.1:{tls}"),
            format!("ldap://127.0.0.1:{plain}"),
        )
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn wait_for_listener(port: u16) {
    let deadline = Instant::now() + DEADLINE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "slapd does not listen on {port}");
        std::thread::yield_now();
    }
}

fn configuration(folder: &Path, size_limit: &str) -> String {
    let folder = folder.display();
    format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {folder}/accounts.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
moduleload ppolicy
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
security ssf=0
database mdb
suffix \"{BASE}\"
rootdn \"cn=admin,{BASE}\"
rootpw admin-secret
directory {folder}/data
maxsize 1073741824
index objectClass,entryUUID,entryCSN,uid,cn eq
limits dn.exact=\"cn=reader,{BASE}\" size={size_limit}
access to attrs=userPassword by anonymous auth
access to * by dn.exact=\"cn=reader,{BASE}\" read by * none
overlay syncprov
syncprov-checkpoint 1 1
syncprov-sessionlog 1000
overlay ppolicy
"
    )
}
