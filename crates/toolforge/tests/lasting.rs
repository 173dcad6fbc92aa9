//! What lasts: stops, starts, and the end without warning.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::TcpListener;

use reqwest::StatusCode;
use toolforge_testkit::{Outcome, Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

fn served(scratch: &Scratch) {
    let visitor = scratch.visitor(&["hello"]);
    eventually("the tool on the web", || {
        match visitor.get(&scratch.url("hello")) {
            Ok(answer) if answer.status == StatusCode::OK => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

/// The command lines of processes that run out of this scratch folder.
fn processes(scratch: &Scratch) -> Vec<String> {
    let folder = scratch.path().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Ok(command) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let home = format!("HOME={folder}");
        if String::from_utf8_lossy(&environment)
            .split('\0')
            .any(|variable| variable.starts_with(&home))
        {
            found.push(String::from_utf8_lossy(&command).replace('\0', " "));
        }
    }
    found
}

#[test]
fn a_stop_ends_every_tool_and_a_start_brings_all_back() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    scratch
        .kubectl_as("hello", &["create", "configmap", "mine", "--from-literal=a=b"])
        .ok();
    let before = scratch.kubectl_as("hello", &["get", "pods", "-o", "name"]).ok();
    assert_eq!(platform.stop(), 0);
    assert_eq!(processes(&scratch), Vec::<String>::new());

    let _platform = scratch.start(&[]);
    served(&scratch);
    assert_eq!(
        scratch.kubectl_as("hello", &["get", "pods", "-o", "name"]).ok(),
        before
    );
    let kept = scratch
        .kubectl_as("hello", &["get", "configmap", "mine", "-o", "jsonpath={.data.a}"])
        .ok();
    assert_eq!(kept, "b");
}

#[test]
fn an_end_without_warning_loses_nothing() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    scratch
        .kubectl_as("hello", &["create", "configmap", "mine", "--from-literal=a=b"])
        .ok();
    platform.kill();

    let platform = scratch.start(&[]);
    scratch.kubectl_as("hello", &["get", "configmap", "mine"]).ok();
    served(&scratch);
    scratch.as_tool("hello", &["webservice", "stop"]).ok();
    Outcome::of(&mut scratch.command(&["tool", "create", "late", "--maintainer", "grace"])).ok();
    platform.kill();

    let platform = scratch.start(&[]);
    let list = Outcome::of(&mut scratch.command(&["tool", "list"])).ok();
    assert!(list.contains("late"), "{list}");
    assert_eq!(platform.stop(), 0);
    assert_eq!(processes(&scratch), Vec::<String>::new());
}

#[test]
fn a_second_platform_on_the_same_data_says_so() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let second = Outcome::of(&mut scratch.up(&[])).refused();
    assert!(second.contains("already running"), "{second}");
}

#[test]
fn busy_ports_are_named_with_their_flags() {
    let scratch = Scratch::new(PROGRAM);
    let taken = TcpListener::bind(("127.0.0.1", scratch.port("--api-port"))).unwrap();
    let refused = Outcome::of(&mut scratch.up(&[])).refused();
    let port = taken.local_addr().unwrap().port();
    assert!(
        refused.contains(&format!("port {port} is in use")) && refused.contains("--api-port"),
        "{refused}"
    );
}

#[test]
fn a_directory_of_ones_own_is_loaded_and_a_broken_one_is_explained() {
    let scratch = Scratch::new(PROGRAM);
    let file = scratch.path().join("own.ldif");
    let homes = scratch.path().join("own-homes");
    let own = include_str!("own.ldif").replace("{homes}", &homes.to_string_lossy());
    std::fs::write(
        &file,
        own.replace(
            "objectClass: organizationalUnit",
            "objectClass organizationalUnit",
        ),
    )
    .unwrap();
    let arguments = [
        "--ldif",
        &*file.to_string_lossy(),
        "--homes",
        &*homes.to_string_lossy(),
    ];
    let broken = Outcome::of(&mut scratch.up(&arguments)).refused();
    assert!(broken.contains("line "), "{broken}");

    std::fs::write(&file, own).unwrap();
    let _platform = scratch.start(&arguments);
    let list = Outcome::of(&mut scratch.command(&["tool", "list"])).ok();
    assert!(list.contains("wiki-graph") && list.contains("mary"), "{list}");
    assert!(homes.join("wiki-graph/.kube/config").exists());
}

#[test]
fn an_ordinary_user_can_run_it_too() {
    if !Outcome::of(std::process::Command::new("id").arg("-u"))
        .ok()
        .trim()
        .eq("0")
    {
        // The other tests run as that user already.
        return;
    }
    let scratch = Scratch::for_user(PROGRAM, 1234);
    let _platform = scratch.start(&[]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    scratch.as_tool("clock", &["webservice", "python", "start"]).ok();
    served(&scratch);
}
