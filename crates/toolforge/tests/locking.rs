//! A tool that is locked in the directory: what it ran is stopped, and runs again when it is unlocked.

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
