//! `toolforge balance`: a settings file, and what becomes of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use toolforge_testkit::{eventually, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// The program; ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which the test then sees in other ways.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A target that says its name to everybody.
fn target(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Who left again, as a check does, hears nothing.
            let _ = stream.and_then(|mut stream| stream.write_all(name.as_bytes()));
        }
    });
    address
}

fn write(path: &Path, listen: SocketAddr, target: SocketAddr) {
    let text =
        format!("services: [{{ name: test, listen: '{listen}', targets: [{{ address: '{target}' }}] }}]");
    fs::write(path, text).unwrap();
}

fn ask(address: SocketAddr) -> Result<String, String> {
    let mut name = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| stream.read_to_string(&mut name));
    asked.map(|_| name).map_err(|error| error.to_string())
}

#[test]
fn connections_go_where_the_file_says_also_after_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("balancer.yaml");
    let listen = (Ipv4Addr::LOCALHOST, free_port()).into();
    let (one, other) = (target("one"), target("other"));
    write(&settings, listen, one);
    let child = Command::new(PROGRAM)
        .args(["balance", "--settings"])
        .arg(&settings)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _running = Running(child);
    let says = |name: &str| match ask(listen) {
        Ok(said) if said == name => Ok(()),
        said => Err(format!("{said:?}")),
    };
    eventually("the first target", || says("one"));
    write(&settings, listen, other);
    eventually("the other target", || says("other"));
}

#[test]
fn a_file_that_does_not_work_is_the_end_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("balancer.yaml");
    fs::write(
        &settings,
        "services: [{ name: a, listen: '127.0.0.1:0', targets: [] }]",
    )
    .unwrap();
    let output = Command::new(PROGRAM)
        .args(["balance", "--settings"])
        .arg(&settings)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("services[0].targets") && said.contains("at least one"),
        "{said}"
    );
}
