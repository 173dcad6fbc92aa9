//! A maintainer at the command line, and what they are told.

use std::process::{Child, Stdio};

use serde_json::{Value, json};
use toolforge_testkit::{Outcome, Scratch};

/// Who says `webservice` as a tool.
pub(crate) struct Maintainer<'a> {
    pub(crate) scratch: &'a Scratch,
    pub(crate) tool: &'static str,
}

impl Maintainer<'_> {
    pub(crate) fn says(&self, words: &[&str]) -> Outcome {
        let command: Vec<&str> = ["webservice"].iter().chain(words).copied().collect();
        self.scratch.as_tool(self.tool, &command)
    }

    /// A start, or another command, that must fail with this code and these words; then the webservice is stopped.
    #[track_caller]
    pub(crate) fn fails(&self, words: &[&str], code: i32, told: &[&str]) {
        let outcome = self.says(words);
        assert_eq!(
            outcome.code, code,
            "{words:?}\n{}\n{}",
            outcome.stdout, outcome.stderr
        );
        for words in told {
            assert!(outcome.stderr.contains(words), "{words} in {}", outcome.stderr);
        }
    }

    /// What `why` says, and the link that it names.
    #[track_caller]
    pub(crate) fn why(&self, link: &str, code: i32) -> Value {
        let outcome = self.says(&["why", "-o", "json"]);
        assert_eq!(outcome.code, code, "{}\n{}", outcome.stdout, outcome.stderr);
        let chain: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        assert_eq!(chain["broken"], link, "{chain}");
        chain
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.says(&["status", "-o", "json"]).ok()).expect("JSON")
    }

    pub(crate) fn stop(&self) {
        self.says(&["stop"]).ok();
    }

    /// Begins a command, and leaves it alone.
    pub(crate) fn begins(&self, words: &[&str]) -> Child {
        let mut command = self.scratch.command(&["become", self.tool, "--", "webservice"]);
        command
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// What the platform says of itself in this `ConfigMap`.
    pub(crate) fn kept(&self, map: &str) -> Value {
        let map = [
            "get",
            "configmap",
            "-n",
            "tf-public",
            map,
            "-o",
            "jsonpath={.data}",
        ];
        serde_json::from_str(&self.scratch.kubectl(&map).ok()).expect("JSON")
    }

    /// Has the platform say something else of itself.
    pub(crate) fn change(&self, map: &str, data: &Value) {
        let patch = json!({ "data": data }).to_string();
        let patch = [
            "patch",
            "configmap",
            "-n",
            "tf-public",
            map,
            "--type=merge",
            "-p",
            &patch,
        ];
        self.scratch.kubectl(&patch).ok();
    }
}

/// The names of the webservice's Pods.
pub(crate) fn pods(scratch: &Scratch) -> Vec<String> {
    let list = [
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/managed-by=webservice",
        "-o",
        "name",
    ];
    let names = scratch.kubectl_as("hello", &list).ok();
    names.lines().map(str::to_owned).collect()
}
