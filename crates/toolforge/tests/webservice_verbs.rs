//! The maintainer's other verbs, as a maintainer uses them: logs, shell, exec, environment, history.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
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
            .unwrap();
        let (say, lines) = mpsc::channel();
        let pipe = BufReader::new(process.stdout.take().unwrap());
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
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn code(mut self) -> i32 {
        let ended = eventually("the end of the command", || {
            self.process
                .try_wait()
                .unwrap()
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
    let times: Vec<&str> = all.lines().filter_map(|line| line.split_once(' ').map(|(time, _)| time)).collect();
    assert!(times.iter().all(|time| time.starts_with("20")) && times.is_sorted(), "{all}");
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
