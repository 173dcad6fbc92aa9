//! The original's registration protocol from outside: `toolforge gateway --register-lines`, accounts of this machine as clients, and
//! Debian's identd, which says whose a connection is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
};

use toolforge_pki::Authority;
use toolforge_testkit::{Outcome, Running, Visitor, eventually, free_port, webservice};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// The port of ident, which nobody can choose.
const IDENT: u16 = 113;

/// Says what it is told over a connection from the address that it goes to, as a grid's clients come from their own.
const CLIENT: &str = "
import socket, sys
address, port, lines = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with socket.create_connection((address, port), source_address=(address, 0)) as connection:
    connection.sendall(lines.encode())
    sys.stdout.write(connection.makefile().read())
";

/// A machine of a grid: an address of this one that no other test has, with an identd.
struct Machine {
    address: Ipv4Addr,
    identd: Running,
}

impl Machine {
    fn start() -> Self {
        let [high, low] = free_port().to_be_bytes();
        let address = Ipv4Addr::new(127, 113, high, low);
        let identd = Command::new("oidentd")
            .args(["--foreground", "--nosyslog", "--quiet", "--address"])
            .arg(address.to_string())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        listens((address, IDENT).into());
        Self {
            address,
            identd: Running(identd),
        }
    }

    /// What an account of this machine is answered that says these lines.
    fn says(&self, account: &str, port: u16, lines: &str) -> String {
        let mut command = Command::new("setpriv");
        // Whatever is before these on root's path may be root's alone.
        command
            .env("PATH", "/usr/bin:/bin")
            .args([
                &format!("--reuid={account}"),
                "--clear-groups",
                "python3",
                "-c",
                CLIENT,
            ])
            .args([&self.address.to_string(), &port.to_string(), lines]);
        Outcome::of(&mut command).ok()
    }
}

fn listens(address: SocketAddr) {
    eventually("a listener", || {
        TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))
    });
}

/// A gateway before an API that is not there, and where it listens.
struct Gateway {
    running: Running,
    https: SocketAddr,
    lines: u16,
    list: u16,
}

impl Gateway {
    fn start(folder: &Path, machine: Ipv4Addr) -> Self {
        let (https, lines, list) = ((machine, free_port()).into(), free_port(), free_port());
        let at = |port: u16| format!("{machine}:{port}");
        let child = Command::new(PROGRAM)
            .args(["gateway", "--domain", "toolforge.test", "--workers", "1"])
            .args(["--https", &at(SocketAddr::port(&https))])
            .args(["--register-lines", &at(lines), "--register-list", &at(list)])
            .args(["--registrations", "registrations.json", "--table", "table.json"])
            .args(["--tls-cert", "tls.crt", "--tls-key", "tls.key"])
            .args(["--kubeconfig", "kubeconfig", "--settings", "settings.yaml"])
            .current_dir(folder)
            .env("RUST_LOG", "warn,kube_client=off")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        listens(https);
        listens((machine, lines).into());
        Self {
            running: Running(child),
            https,
            lines,
            list,
        }
    }

    fn visited(&self, authority: &Authority, expected: &str) {
        let host = "data.toolforge.test";
        let visitor = Visitor::new(authority.certificate_pem(), &[(host, self.https)]);
        let url = format!("https://{host}:{}/", self.https.port());
        eventually("the answer", || match visitor.get(&url) {
            Ok(answer) if answer.text.contains(expected) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
}

/// What a gateway is started with: accounts whose names begin with `www-` are tools, so that Debian's own is one.
fn prepare(folder: &Path, authority: &Authority, machine: Ipv4Addr) {
    let identity = authority.issue_server(&["*.toolforge.test"]).unwrap();
    let client = authority.issue_client("gateway", &[]).unwrap();
    let here = format!("[{machine}/32]");
    let settings = format!(
        "registrations: {{ lineNetworks: {here}, listNetworks: {here}, destinationNetworks: {here}, accountPrefix: www- }}\n"
    );
    let api = "https://127.0.0.1:1";
    let kubeconfig =
        toolforge_serve::kubeconfig(api, authority.certificate_pem(), &client, "gateway", "default");
    for (name, text) in [
        ("tls.crt", &identity.certificate_pem),
        ("tls.key", &identity.key_pem),
        ("kubeconfig", &kubeconfig),
        ("settings.yaml", &settings),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn whoever_the_identd_names_registers_for_its_own_tool_and_after_sigkill_it_is_still_there() {
    toolforge_pki::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create("test authority").unwrap();
    let mut machine = Machine::start();
    prepare(folder.path(), &authority, machine.address);
    let gateway = Gateway::start(folder.path(), machine.address);
    let port = webservice(machine.address, "from the grid");
    let register = format!("register\n.*\nhttp://{}:{port}\n", machine.address);

    assert_eq!(machine.says("www-data", gateway.lines, &register), "ok");
    gateway.visited(&authority, "from the grid");
    let sentence = "This service available only to tool accounts";
    assert_eq!(machine.says("nobody", gateway.lines, &register), sentence);
    let list = format!("http://{}:{}/list", machine.address, gateway.list);
    let asked = ["--silent", "--noproxy", "*", "--interface"];
    let address = machine.address.to_string();
    let mut curl = Command::new("curl");
    curl.args(asked).args([&address, &list]);
    assert_eq!(Outcome::of(&mut curl).ok(), r#"{"data":{"status":"active"}}"#);

    drop(gateway.running);
    let gateway = Gateway::start(folder.path(), machine.address);
    gateway.visited(&authority, "from the grid");
    assert_eq!(machine.says("www-data", gateway.lines, "unregister\n.*\n"), "ok");
    gateway.visited(&authority, "404");

    machine.identd.0.kill().unwrap();
    machine.identd.0.wait().unwrap();
    let sentence = "Identd authentication failed. Please contact an administrator";
    assert_eq!(machine.says("www-data", gateway.lines, &register), sentence);
}
