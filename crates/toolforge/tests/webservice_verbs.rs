//! The maintainer's other verbs, as a maintainer uses them: logs, shell, exec, environment, history.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
};

use rustix::process::{Pid, Signal, kill_process};
use toolforge_testkit::{DEADLINE, Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// Prints `started`, and each path that it is asked for.
const TALKER: &str = r#"
import http.server as h, os, socketserver as s, sys
print("started", flush=True)
class Talker(h.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked for", self.path, flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ.get("GREETING", "nothing").encode())
        if self.path == "/crash":
            os._exit(3)
    def log_message(self, *words):
        pass
s.TCPServer.allow_reuse_address = True
s.TCPServer(("", int(os.environ["PORT"])), Talker).serve_forever()
"#;

/// A command as a tool that goes on while the test does.
struct Running {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("commands can be run here");
        let (say, lines) = mpsc::channel();
        let pipe = BufReader::new(process.stdout.take().expect("commands can be run here"));
        std::thread::spawn(move || {
            for line in pipe.lines().map_while(Result::ok) {
                // The test may have seen enough.
                let _ = say.send(line);
            }
        });
        Self { process, lines }
    }

    /// Reads up to the line that has these words.
    #[track_caller]
    fn until(&self, words: &str) -> String {
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => said.push(line),
                Err(error) => unreachable!("no {words:?} ({error}), only:\n{}", said.join("\n")),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).expect("commands can be run here"))
            .expect("commands can be run here");
        kill_process(pid, signal).expect("commands can be run here");
    }

    fn code(mut self) -> i32 {
        let ended = eventually("the end of the command", || {
            self.process
                .try_wait()
                .expect("commands can be run here")
                .ok_or_else(|| "it runs".to_owned())
        });
        ended.code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn following(scratch: &Scratch, tool: &str, further: &[&str]) -> Running {
    let words = [&["become", tool, "--", "webservice", "logs", "-f"], further].concat();
    Running::start(&mut scratch.command(&words))
}

#[test]
fn logs_are_those_of_all_replicas_as_they_come_and_go() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let visitor = scratch.visitor(&["hello"]);
    let hello = |words: &[&str]| scratch.as_tool("hello", &[&["webservice"], words].concat());
    let ask = |path: &str| visitor.get(&format!("{}{path}", scratch.url("hello"))).map(drop);

    assert_eq!(hello(&["logs"]).ok(), "No logs found!\n");
    assert_eq!(hello(&["logs", "-f"]).ok(), "No logs found!\n");
    hello(&["generic", "start", "-r", "2", "--", "python3", "-c", TALKER]).ok();
    let all = hello(&["logs"]).ok();
    let started: Vec<&str> = all.lines().filter(|line| line.ends_with("started")).collect();
    assert_eq!(started.len(), 2, "{all}");
    // All of the same length, to the nanosecond, so that they sort as text.
    let times: Vec<&str> = all
        .lines()
        .filter_map(|line| line.split_once(' ').map(|(time, _)| time))
        .collect();
    assert!(
        times.iter().all(|time| time.starts_with("20")) && times.is_sorted(),
        "{all}"
    );
    assert!(
        started[0].contains(" [hello-") && !all.contains('\u{1b}'),
        "{all}"
    );
    assert_eq!(hello(&["logs", "--tail", "1"]).ok().lines().count(), 1);
    assert_eq!(
        hello(&["logs", "--since", "2099-01-01T00:00:00Z"]).ok(),
        "No logs found!\n"
    );
    assert_eq!(hello(&["logs", "--since", "1h"]).ok(), all);
    assert_eq!(hello(&["logs", "--since", "yesterday"]).code, 2);
    assert_eq!(hello(&["logs", "--previous"]).ok(), "No logs found!\n");

    // Through new Pods, and through a process that ends and is started again in its Pod.
    let reader = following(&scratch, "hello", &[]);
    reader.until("started");
    reader.until("started");
    ask("one").unwrap();
    reader.until("asked for /one");
    hello(&["restart"]).ok();
    reader.until("started");
    reader.until("started");
    ask("two").unwrap();
    reader.until("asked for /two");
    // It may be gone before it has answered.
    let _ = ask("crash");
    reader.until("asked for /crash");
    reader.until("started");
    let before = hello(&["logs", "--previous"]).ok();
    assert!(before.contains("asked for /crash"), "{before}");
    reader.signal(Signal::INT);
    assert_eq!(reader.code(), 0);
}

fn pods(scratch: &Scratch) -> String {
    scratch.kubectl_as("hello", &["get", "pods", "-o", "name"]).ok()
}

/// A command as a tool with this input.
fn with_input(scratch: &Scratch, words: &[&str], input: &[u8]) -> Output {
    let words = [&["become", "hello", "--"], words].concat();
    let mut process = scratch
        .command(&words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("commands can be run here");
    let mut pipe = process.stdin.take().expect("commands can be run here");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || pipe.write_all(&input));
    let output = process.wait_with_output().expect("commands can be run here");
    // The command need not have read it all.
    let _ = writer.join().expect("commands can be run here");
    output
}

#[test]
fn a_shell_is_a_pod_of_its_own_and_leaves_nothing() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let hello = |words: &[&str]| scratch.as_tool("hello", &[&["webservice"], words].concat());

    // Case 48.
    let said = hello(&["static", "shell", "--", "echo", "X"]);
    assert_eq!(
        (said.code, said.stdout.as_str(), said.stderr.as_str()),
        (0, "X\n", "")
    );
    assert_eq!(pods(&scratch), "");
    let failed = hello(&[
        "static",
        "shell",
        "--",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 37",
    ]);
    assert_eq!(
        (failed.code, failed.stdout.as_str(), failed.stderr.as_str()),
        (37, "out\n", "err\n")
    );
    let here = hello(&["static", "shell", "--", "sh", "-c", "pwd; echo $HOME; id -u"]).ok();
    let home = scratch.home("hello");
    assert!(here.starts_with(&format!("{0}\n{0}\n", home.display())), "{here}");
    assert_ne!(here.lines().last(), Some("0"));
    // Without a type it is the one that the home looks like.
    assert_eq!(hello(&["shell", "--", "echo", "X"]).ok(), "X\n");
    hello(&["cobol", "shell"]).refused();
    assert_eq!(hello(&["static", "shell", "--mem", "900Gi"]).code, 3);
    let missing = hello(&["static", "shell", "--", "/no/such/program"]).refused();
    assert!(missing.contains("/no/such/program"), "{missing}");

    // Every byte, and the end of the input.
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let echoed = with_input(&scratch, &["webservice", "static", "shell", "--", "cat"], &bytes);
    assert!(echoed.status.success() && echoed.stdout == bytes, "{echoed:?}");
    // Whoever reads no further ends it.
    let little = "webservice static shell -- yes | head -n 2; echo ${PIPESTATUS[0]}";
    let little = scratch.as_tool("hello", &["bash", "-c", little]).ok();
    assert_eq!(little, "y\ny\n141\n");
    assert_eq!(pods(&scratch), "");

    // Two at once are separate, and have their own limits.
    let open = |limits: &[&str]| {
        let script = "echo ready; exec sleep 600";
        let words = [
            &["become", "hello", "--", "webservice", "static", "shell"],
            limits,
        ]
        .concat();
        let running =
            Running::start(&mut scratch.command(&[&words[..], &["--", "sh", "-c", script]].concat()));
        running.until("ready");
        running
    };
    let (one, two) = (
        open(&["--mem", "300Mi"]),
        open(&["--mem", "100Mi", "--cpu", "100m"]),
    );
    let template =
        "jsonpath={range .items[*]}{.metadata.name} {.spec.containers[0].resources.limits.memory}\n{end}";
    let both = scratch.kubectl_as("hello", &["get", "pods", "-o", template]).ok();
    assert!(
        both.lines().count() == 2
            && both.contains("300Mi")
            && both.contains("100Mi")
            && both.starts_with("shell-"),
        "{both}"
    );
    // Ends by signals take the Pod along.
    one.signal(Signal::INT);
    assert_eq!(one.code(), 130);
    assert_eq!(pods(&scratch).lines().count(), 1);
    two.signal(Signal::HUP);
    assert_eq!(two.code(), 129);
    assert_eq!(pods(&scratch), "");

    // One that is killed takes nothing away itself: what ran in its Pod ends, and the next shell takes that away.
    let killed = open(&[]);
    killed.signal(Signal::KILL);
    assert_eq!(killed.code(), -1);
    let phase = ["get", "pods", "-o", "jsonpath={.items[*].status.phase}"];
    eventually("the end of the Pod of a killed client", || {
        match scratch.kubectl_as("hello", &phase).ok().as_str() {
            "Succeeded" | "Failed" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    hello(&["static", "shell", "--", "true"]).ok();
    assert_eq!(pods(&scratch), "");
}

#[test]
fn exec_runs_in_a_replica() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let hello = |words: &[&str]| scratch.as_tool("hello", &[&["webservice"], words].concat());

    let none = hello(&["exec", "--", "true"]).refused();
    assert!(none.contains("not running"), "{none}");
    hello(&["generic", "start", "-r", "2", "--", "python3", "-c", TALKER]).ok();
    let names = pods(&scratch);
    let mut names: Vec<&str> = names
        .lines()
        .filter_map(|name| name.strip_prefix("pod/"))
        .collect();
    names.sort_unstable();
    let address = ["--", "sh", "-c", "echo $PORT $HOSTNAME; exit 5"];
    for (nth, name) in names.iter().enumerate() {
        let by_name = hello(&[&["exec", name], &address[..]].concat());
        let number = (nth + 1).to_string();
        let by_number = hello(&[&["exec", "-r", &number], &address[..]].concat());
        assert_eq!(
            (by_name.code, &by_name.stdout),
            (5, &format!("8000 {name}\n")),
            "{}",
            by_name.stderr
        );
        assert_eq!(by_name.stdout, by_number.stdout);
    }
    assert_eq!(hello(&["exec", "-r", "3", "--", "true"]).code, 1);
    let echoed = with_input(
        &scratch,
        &["webservice", "exec", "--", "wc", "-c"],
        &vec![0; 100_000],
    );
    assert_eq!(String::from_utf8_lossy(&echoed.stdout).trim(), "100000");
}

#[test]
fn the_environment_is_a_secret_and_a_change_of_it_rolls() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let visitor = scratch.visitor(&["hello"]);
    let hello = |words: &[&str]| scratch.as_tool("hello", &[&["webservice"], words].concat());
    let greeting = || visitor.get(&scratch.url("hello")).unwrap().text;

    assert_eq!(hello(&["env", "list"]).ok(), "");
    for (refused, words) in [
        ("PORT=1", "set by the platform"),
        ("TOOL_X=1", "reserved"),
        ("1=2", "not the name"),
    ] {
        let refused = hello(&["env", "set", refused]);
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    let given = "a secret\nof two lines";
    let set = with_input(
        &scratch,
        &["webservice", "env", "set", "GREETING=-"],
        given.as_bytes(),
    );
    assert!(set.status.success(), "{set:?}");
    hello(&[
        "generic", "start", "--env", "OTHER=x", "--", "python3", "-c", TALKER,
    ])
    .ok();
    assert_eq!(greeting(), given);
    assert_eq!(hello(&["env", "list"]).ok(), "GREETING\nOTHER\n");
    assert_eq!(
        hello(&["env", "list", "--show-values"]).ok(),
        format!("GREETING={given}\nOTHER=x\n")
    );
    let inside = ["--", "sh", "-c", "echo $OTHER"];
    assert_eq!(hello(&[&["static", "shell"], &inside[..]].concat()).ok(), "x\n");
    assert_eq!(hello(&[&["exec"], &inside[..]].concat()).ok(), "x\n");

    hello(&["env", "set", "GREETING=hi", "--no-restart"]).ok();
    assert_eq!(greeting(), given);
    hello(&["env", "set", "MORE=hidden"]).ok();
    assert_eq!(greeting(), "hi");
    hello(&["env", "unset", "GREETING"]).ok();
    assert_eq!(greeting(), "nothing");
    let missing = hello(&["env", "unset", "GREETING"]).refused();
    assert!(missing.contains("not set: GREETING"), "{missing}");
    hello(&["restart", "--env", "GREETING=again"]).ok();
    assert_eq!(greeting(), "again");
    // Values are in the Secret and nowhere else.
    let objects = [
        "get",
        "deployments,replicasets,pods,configmaps,events",
        "-o",
        "yaml",
    ];
    let objects = scratch.kubectl_as("hello", &objects).ok();
    assert!(
        objects.contains("webservice-env") && !objects.contains("hidden"),
        "{objects}"
    );
}

#[test]
fn a_maintainer_goes_back_to_what_was() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let hello = |words: &[&str]| scratch.as_tool("hello", &[&["webservice"], words].concat());
    let memory = || {
        let path = "jsonpath={.spec.template.spec.containers[0].resources.limits.memory}";
        scratch
            .kubectl_as("hello", &["get", "deployment", "hello", "-o", path])
            .ok()
    };

    assert!(hello(&["history"]).ok().contains("No history yet"));
    hello(&["rollback"]).refused();
    hello(&["static", "start", "--mem", "512Mi"]).ok();
    hello(&["restart"]).ok();
    hello(&["restart", "--mem", "256Mi", "--env", "SECRET=hidden"]).ok();
    let history = hello(&["history"]).ok();
    let lines: Vec<&str> = history.lines().collect();
    assert!(
        lines.len() == 3
            && lines[1].starts_with("* 2 ")
            && lines[1].contains("mem 256Mi")
            && lines[2].starts_with("  1 ")
            && lines[2].contains("mem 512Mi")
            && !history.contains("hidden"),
        "{history}"
    );
    let back = hello(&["rollback"]);
    assert!(
        back.code == 0 && back.stderr.contains("  mem 256Mi -> 512Mi\n"),
        "{back:?}"
    );
    assert_eq!(memory(), "512Mi");
    assert!(hello(&["rollback", "3"]).ok().contains("already"));
    let unknown = hello(&["rollback", "77"]).refused();
    assert!(
        unknown.contains("no revision 77") && unknown.contains("2, 3"),
        "{unknown}"
    );
    hello(&["rollback", "2"]).ok();
    assert_eq!(memory(), "256Mi");
    // It outlives the webservice.
    hello(&["stop"]).ok();
    hello(&["rollback"]).ok();
    assert_eq!(memory(), "512Mi");
    let entries = hello(&["history", "-o", "json"]).ok();
    let entries: serde_json::Value = serde_json::from_str(&entries).unwrap();
    assert_eq!(entries[1]["revision"], 5);
    assert_eq!(entries[1]["settings"]["mem"], "512Mi");
    assert_eq!(hello(&["open"]).ok(), format!("{}\n", scratch.url("hello")));
}
