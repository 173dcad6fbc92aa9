//! `toolforge balance`: a settings file, and what becomes of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use toolforge_testkit::{Running, eventually, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

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

/// What happens at the limit depends on how many files the program has open by itself: with an even number left a connection
/// is not accepted, with an odd one it leads to no target.
#[test]
fn a_target_does_not_pay_for_the_limits_of_this_machine() {
    let said: String = [40, 41].map(at_the_limit).concat();
    for words in [
        "could not be accepted",
        "this machine cannot connect: Too many open files",
        "cannot be checked",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("a target is out"), "{said}");
}

/// What a balancer says that may have so many files open and is asked for more.
fn at_the_limit(files: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("balancer.yaml");
    let listen: SocketAddr = (Ipv4Addr::LOCALHOST, free_port()).into();
    let text = format!(
        "services: [{{ name: test, listen: '{listen}', targets: [{{ address: '{}' }}], check: {{ intervalSeconds: 1, fall: 1 }} }}]",
        patient_target()
    );
    fs::write(&settings, text).unwrap();
    let mut child = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -n {files}; exec \"$0\" balance --settings \"$1\""),
            PROGRAM,
        ])
        .arg(&settings)
        .env("RUST_LOG", "toolforge_balancer=debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let heard = Arc::new(Mutex::new(String::new()));
    let pipes: [Box<dyn Read + Send>; 2] = [
        Box::new(child.stdout.take().unwrap()),
        Box::new(child.stderr.take().unwrap()),
    ];
    for pipe in pipes {
        let heard = heard.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                heard.lock().unwrap().push_str(&(line + "\n"));
            }
        });
    }
    let _running = Running(child);
    let connect = || {
        let mut stream = TcpStream::connect(listen).map_err(|error| error.to_string())?;
        stream.read_exact(&mut [0]).map_err(|error| error.to_string())?;
        Ok(stream)
    };
    let mut held = vec![eventually("the first connection", connect)];
    let said = |words: &[&str]| {
        let heard = heard.lock().unwrap().clone();
        if words.iter().any(|words| heard.contains(words)) {
            Ok(heard)
        } else {
            Err(heard)
        }
    };
    eventually("the end of the balancer's files", || {
        // Nobody waits for those that are not accepted.
        held.push(TcpStream::connect(listen).unwrap());
        said(&["cannot be checked", "this machine cannot connect"])
    });
    // And with room again everything is as before.
    held.clear();
    eventually("a connection after all that", connect);
    said(&[""]).unwrap()
}

/// A target that greets, and keeps its connections.
fn patient_target() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut streams = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            if stream.write_all(b"!").is_ok() {
                streams.push(stream);
            }
        }
    });
    address
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
