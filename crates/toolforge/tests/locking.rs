//! A tool that is locked in the directory: what it ran is stopped, and runs again when it is unlocked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Instant,
};

use toolforge_testkit::{Outcome, Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

#[test]
fn a_locked_tool_is_stopped_and_an_unlocked_one_is_back() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let pods = || {
        let listed = scratch.kubectl(&["get", "pods", "-n", "tool-hello", "-o", "name"]);
        listed.ok().lines().count()
    };
    assert_eq!(pods(), 1);

    Outcome::of(&mut scratch.command(&["tool", "lock", "hello"])).ok();
    eventually("the tool's Pods are gone", || match pods() {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    });
    scratch.kubectl_as("hello", &["get", "pods"]).refused();

    Outcome::of(&mut scratch.command(&["tool", "unlock", "hello"])).ok();
    eventually("the tool is served again", || {
        let ready = scratch.kubectl(&[
            "get",
            "deployment",
            "hello",
            "-n",
            "tool-hello",
            "-o",
            "jsonpath={.status.readyReplicas}",
        ]);
        let ready = ready.ok();
        if ready == "1" {
            Ok(())
        } else {
            Err(format!("{ready:?} ready"))
        }
    });
    scratch.kubectl_as("hello", &["get", "pods"]).ok();
}

/// A `kubectl` of the tool that goes on until somebody ends it, from its first line on.
struct Session {
    name: &'static str,
    process: Child,
}

impl Session {
    fn start(scratch: &Scratch, name: &'static str, arguments: &[&str]) -> Self {
        let mut process = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(scratch.home("hello").join(".kube/config"))
            .args(arguments)
            .env("KUBECACHEDIR", scratch.path().join("kubectl-cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{name} says nothing");
        // What it says later must not stop it.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { name, process }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It should have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_a_locked_tool_has_open_ends_with_the_lock() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let watch = ["get", "pods", "-w", "-o", "name"];
    // It would go on for longer than the test waits, also when its Pod is told to end.
    let script = "trap '' TERM; echo here; while :; do sleep 1; done";
    let exec = ["exec", "deployment/hello", "--", "sh", "-c", script];
    let mut sessions = [
        Session::start(&scratch, "kubectl get -w", &watch),
        Session::start(&scratch, "kubectl exec", &exec),
    ];
    for session in &mut sessions {
        assert!(
            session.process.try_wait().unwrap().is_none(),
            "{} goes on",
            session.name
        );
    }

    let asked = Instant::now();
    Outcome::of(&mut scratch.command(&["tool", "lock", "hello"])).ok();
    let locked = asked.elapsed();
    for session in &mut sessions {
        eventually(session.name, || match session.process.try_wait().unwrap() {
            Some(_) => Ok(()),
            None => Err("it goes on".to_owned()),
        });
        // Counted from before the command was started, so the lock itself is in it.
        println!(
            "{} ended {:?} after `tool lock` began, which took {locked:?}",
            session.name,
            asked.elapsed()
        );
    }
}
