//! The machine's own `kubectl` on the platform, as an operator and as a tool.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use toolforge_testkit::{Outcome, Scratch};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

#[test]
fn the_operator_sees_everything_in_every_form() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let kubectl = |arguments: &[&str]| scratch.kubectl(arguments).ok();

    let pods = kubectl(&["get", "pods", "-A"]);
    assert!(
        pods.contains("NAMESPACE") && pods.contains("RESTARTS") && pods.contains("1/1     Running"),
        "{pods}"
    );
    let wide = kubectl(&[
        "get",
        "pods",
        "-n",
        "tool-hello",
        "-o",
        "wide",
        "-l",
        "name=hello",
    ]);
    assert!(wide.contains("NODE") && wide.contains("127."), "{wide}");
    assert!(kubectl(&["get", "pods", "-A", "-l", "name=clock", "-o", "name"]).is_empty());
    let yaml = kubectl(&["get", "deployment", "hello", "-n", "tool-hello", "-o", "yaml"]);
    assert!(yaml.contains("kind: Deployment"), "{yaml}");
    let json = kubectl(&["get", "ns", "tool-hello", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["metadata"]["labels"]["tenancy"], "tool");
    let nodes = kubectl(&["get", "nodes"]);
    assert!(nodes.contains("Ready"), "{nodes}");
    let described = kubectl(&["describe", "pod", "-n", "tool-hello", "-l", "name=hello"]);
    assert!(
        described.contains("Events:") && described.contains("Started"),
        "{described}"
    );
    let explained = kubectl(&["explain", "deployment.spec.strategy"]);
    assert!(explained.contains("rollingUpdate"), "{explained}");
    let logs = kubectl(&["logs", "-n", "tool-hello", "deployment/hello"]);
    assert!(logs.contains("serving"), "{logs}");
    assert_eq!(kubectl(&["auth", "can-i", "delete", "nodes"]), "yes\n");
}

#[test]
fn a_tool_works_on_its_own_objects_with_every_verb() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let kubectl = |arguments: &[&str]| scratch.kubectl_as("hello", arguments).ok();
    let file = scratch.path().join("map.yaml");
    let path = file.to_string_lossy().into_owned();
    let write = |value: &str| {
        let text =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: mine }}\ndata: {{ a: {value} }}\n");
        std::fs::write(&file, text).unwrap();
    };
    let value = || kubectl(&["get", "configmap", "mine", "-o", "jsonpath={.data.a}"]);

    write("one");
    assert!(kubectl(&["create", "-f", &path]).contains("created"));
    kubectl(&["delete", "-f", &path]);
    assert!(kubectl(&["apply", "-f", &path]).contains("created"));
    write("two");
    assert!(kubectl(&["apply", "-f", &path]).contains("configured"));
    assert_eq!(value(), "two");
    write("three");
    assert!(
        kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &path]).contains("serverside-applied")
    );
    assert_eq!(value(), "three");
    for (kind, patch) in [
        ("merge", r#"{"data":{"a":"four"}}"#),
        ("strategic", r#"{"data":{"a":"five"}}"#),
        ("json", r#"[{"op":"replace","path":"/data/a","value":"six"}]"#),
    ] {
        kubectl(&["patch", "configmap", "mine", "--type", kind, "-p", patch]);
    }
    assert_eq!(value(), "six");
    let mut edit = Command::new("kubectl");
    edit.arg("--kubeconfig")
        .arg(scratch.home("hello").join(".kube/config"))
        .args(["edit", "configmap", "mine"])
        .env("KUBE_EDITOR", "sed -i s/six/seven/")
        .env("KUBECACHEDIR", scratch.path().join("kubectl-cache"));
    Outcome::of(&mut edit).ok();
    assert_eq!(value(), "seven");
    kubectl(&["delete", "configmap", "mine"]);
    assert!(
        scratch
            .kubectl_as("hello", &["get", "configmap", "mine"])
            .refused()
            .contains("NotFound")
    );
}

#[test]
fn a_watch_shows_what_comes() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    // A watch that shows nothing must not hold the test for ever.
    let mut watch = Command::new("timeout")
        .args(["60", "kubectl", "--kubeconfig"])
        .arg(scratch.home("hello").join(".kube/config"))
        .args(["get", "configmaps", "-w", "-o", "name"])
        .env("KUBECACHEDIR", scratch.path().join("kubectl-cache"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    scratch
        .kubectl_as("hello", &["create", "configmap", "comes", "--from-literal=a=b"])
        .ok();
    let seen = lines.any(|line| line.unwrap() == "configmap/comes");
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(seen);
}
