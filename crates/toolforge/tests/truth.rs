//! `webservice` tells the truth: every cause of failure as a maintainer meets it, with its exit code, `status` and
//! `why`; and restarts that no visitor notices. One platform for all of it, since each step is short.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::StatusCode;
use serde_json::Value;
use toolforge_testkit::{Outcome, Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
/// No more requests than this, should a restart never end.
const LOAD_MOST: usize = 50_000;

/// A server of the standard library that answers `/` with 200 and `/ill` with 500.
const SERVER: &str = "import http.server as h, os, signal, socketserver as s\n\
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n\
    class H(h.BaseHTTPRequestHandler):\n\
    \x20def do_GET(self):\n\
    \x20 self.send_response(500 if self.path == '/ill' else 200); self.send_header('content-length', '2'); self.end_headers(); self.wfile.write(b'ok')\n\
    \x20def log_message(self, *a): pass\n\
    class S(s.ThreadingMixIn, s.TCPServer): request_queue_size = 128; daemon_threads = True\n\
    S(('', int(os.environ['PORT'])), H).serve_forever()";

struct Maintainer<'a> {
    scratch: &'a Scratch,
    tool: &'static str,
}

impl Maintainer<'_> {
    fn says(&self, words: &[&str]) -> Outcome {
        let command: Vec<&str> = ["webservice"].iter().chain(words).copied().collect();
        self.scratch.as_tool(self.tool, &command)
    }

    /// A start, or another command, that must fail with this code and these words; then the webservice is stopped.
    #[track_caller]
    fn fails(&self, words: &[&str], code: i32, told: &[&str]) {
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
    fn why(&self, link: &str, code: i32) -> Value {
        let outcome = self.says(&["why", "-o", "json"]);
        assert_eq!(outcome.code, code, "{}\n{}", outcome.stdout, outcome.stderr);
        let chain: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        assert_eq!(chain["broken"], link, "{chain}");
        chain
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.says(&["status", "-o", "json"]).ok()).expect("JSON")
    }

    fn stop(&self) {
        self.says(&["stop"]).ok();
    }
}

#[test]
fn each_cause_of_failure_is_told_with_its_exit_code() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let hello = Maintainer {
        scratch: &scratch,
        tool: "hello",
    };
    let shell = |script: &'static str| ["generic", "start", "--timeout", "3", "--", "sh", "-c", script];

    // Stopped.
    assert_eq!(hello.status()["state"], "stopped");
    hello.why("deployment", 1);
    hello.fails(&["scale", "2"], 1, &["is not running"]);
    hello.fails(&["cobol", "start"], 1, &["type must be one of"]);
    hello.fails(&["static", "start", "--mem", "lots"], 2, &["lots"]);

    // A crash, with its last words; what crashes again and again does not run.
    hello.fails(
        &shell("echo all went wrong >&2; exit 3"),
        1,
        &["exit code 3", "all went wrong", "webservice logs"],
    );
    eventually("a status that tells of the crash", || {
        let status = hello.status();
        let told = status["state"] == "failed"
            && status["last_error"]["exit_code"] == 3
            && status["problem"]["exit_code"] == 1;
        if told { Ok(()) } else { Err(status.to_string()) }
    });
    let told = hello.says(&["status"]).ok();
    assert!(
        told.contains("does not come up") && !told.contains("is running"),
        "{told}"
    );
    hello.why("pod", 1);
    hello.stop();

    // A program that is not there, one that is done, one that is deaf, one that is ill.
    hello.fails(
        &["generic", "start", "--", "/no/such/program"],
        1,
        &["/no/such/program"],
    );
    hello.stop();
    hello.fails(&shell("true"), 1, &["ended by itself"]);
    hello.stop();
    hello.fails(
        &shell("trap 'exit 0' TERM; echo I am deaf; while :; do sleep 0.1; done"),
        6,
        &["nothing listens on port 8000", "PORT", "I am deaf"],
    );
    hello.why("process", 6);
    hello.stop();
    let ill = [
        "generic",
        "start",
        "--timeout",
        "3",
        "--health-check-path",
        "/ill",
        "--",
        "python3",
        "-c",
        SERVER,
    ];
    hello.fails(&ill, 7, &["/ill", "--health-check-path", "500"]);
    hello.why("health", 7);
    hello.stop();

    quotas(&hello);
    bent_objects(&hello);

    // The API is gone.
    let gone = scratch
        .command(&[
            "become",
            "hello",
            "--",
            "env",
            "KUBECONFIG=/nonexistent",
            "webservice",
            "status",
        ])
        .output()
        .unwrap();
    assert_eq!(gone.status.code(), Some(9), "{gone:?}");
}

/// The limit of one container, and that of all together.
fn quotas(hello: &Maintainer<'_>) {
    hello.fails(
        &["static", "start", "--mem", "9Gi"],
        3,
        &["quota", "4Gi", "--mem"],
    );
    hello.why("deployment", 3);
    hello.stop();
    hello.fails(
        &["static", "start", "--replicas", "9"],
        3,
        &["Only 4 of 9 copies", "exceeded quota", "--replicas"],
    );
    hello.stop();
}

/// All is well until somebody bends what is behind the URL, or starts a version that does not come up.
fn bent_objects(hello: &Maintainer<'_>) {
    hello.says(&["static", "start"]).ok();
    let whole = hello.says(&["why"]).ok();
    assert!(whole.contains("Every link holds."), "{whole}");
    hello
        .scratch
        .kubectl_as("hello", &["delete", "ingress", "hello-subdomain"])
        .ok();
    let chain = hello.why("ingress", 8);
    assert!(
        chain["next"]
            .as_str()
            .is_some_and(|next| next.contains("webservice restart")),
        "{chain}"
    );
    hello.says(&["restart"]).ok();
    let bend = r#"{"spec":{"selector":{"name":"other"}}}"#;
    hello
        .scratch
        .kubectl_as("hello", &["patch", "service", "hello", "-p", bend])
        .ok();
    hello.why("service", 8);
    hello.says(&["restart"]).ok();
    assert_eq!(hello.says(&["why"]).code, 0);

    // A version that does not come up does not take the one before with it.
    hello.fails(
        &["generic", "restart", "--", "sh", "-c", "exit 4"],
        1,
        &["exit code 4", "The version before goes on serving"],
    );
    let status = hello.status();
    assert_eq!(
        (&status["state"], &status["older_version_serves"]),
        (&"running".into(), &true.into()),
        "{status}"
    );
    hello.stop();
}

#[test]
fn visitors_notice_no_restart() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let hello = Maintainer {
        scratch: &scratch,
        tool: "hello",
    };
    let url = scratch.url("hello");
    hello
        .says(&["generic", "start", "--", "python3", "-c", SERVER])
        .ok();

    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let failed: Vec<String> = std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let visitor = scratch.visitor(&["hello"]);
                    let mut failed = Vec::new();
                    while !over.load(Ordering::Relaxed) && asked.fetch_add(1, Ordering::Relaxed) < LOAD_MOST {
                        match visitor.get(&url) {
                            Ok(answer) if answer.status == StatusCode::OK => {}
                            other => failed.push(format!("{other:?}")),
                        }
                    }
                    failed
                })
            })
            .collect();
        for change in [
            &["restart", "--mem", "600Mi"][..],
            &["restart"],
            &["scale", "2"],
            &["restart", "--mem", "700Mi"],
        ] {
            let outcome = hello.says(change);
            over.fetch_or(outcome.code != 0, Ordering::Relaxed);
            outcome.ok();
        }
        // Those that are on their way out have visitors, too.
        eventually("the end of old Pods", || match pods(&scratch).len() {
            2 => Ok(()),
            count => Err(format!("{count} Pods")),
        });
        over.store(true, Ordering::Relaxed);
        visitors
            .into_iter()
            .flat_map(|visitor| visitor.join().unwrap())
            .collect()
    });
    assert!(
        failed.is_empty(),
        "{} of {asked:?} requests failed: {failed:?}",
        failed.len()
    );
    assert!(
        asked.load(Ordering::Relaxed) > 50,
        "a load worth the name: {asked:?}"
    );
    let status = hello.status();
    assert_eq!(status["memory"]["limit"], 1400 << 20, "{status}");

    full_quota(&scratch, &hello);
}

/// A quota that is full: the old one goes first, and it is said; what never fits changes nothing.
fn full_quota(scratch: &Scratch, hello: &Maintainer<'_>) {
    hello.says(&["scale", "1"]).ok();
    eventually("one Pod", || match pods(scratch).len() {
        1 => Ok(()),
        count => Err(format!("{count} Pods")),
    });
    hello.says(&["restart", "--cpu", "1"]).ok();
    eventually("one Pod", || match pods(scratch).len() {
        1 => Ok(()),
        count => Err(format!("{count} Pods")),
    });
    let filler = [
        "run",
        "filler",
        "--image",
        "any",
        "--overrides",
        r#"{"spec":{"containers":[{"name":"filler","image":"IMAGE","command":["sleep","1000"],"resources":{"limits":{"cpu":"1","memory":"100Mi"}}}]}}"#,
    ];
    let image = scratch
        .kubectl_as(
            "hello",
            &[
                "get",
                "deployment",
                "hello",
                "-o",
                "jsonpath={.spec.template.spec.containers[0].image}",
            ],
        )
        .ok();
    let overrides = filler[5].replace("IMAGE", &image);
    let filler = [&filler[..5], &[overrides.as_str()]].concat();
    scratch.kubectl_as("hello", &filler).ok();

    let restarted = hello.says(&["restart", "--mem", "800Mi"]);
    assert_eq!(restarted.code, 0, "{}", restarted.stderr);
    assert!(
        restarted.stderr.contains("no room for old and new side by side"),
        "{}",
        restarted.stderr
    );
    assert_eq!(hello.status()["memory"]["limit"], 800 << 20);
    let strategy = [
        "get",
        "deployment",
        "hello",
        "-o",
        "jsonpath={.spec.strategy.rollingUpdate}",
    ];
    let strategy = scratch.kubectl_as("hello", &strategy).ok();
    assert!(
        strategy.contains("\"maxUnavailable\":0"),
        "the next one rolls as usual: {strategy}"
    );

    let before = pods(scratch);
    hello.fails(
        &["restart", "--replicas", "2"],
        3,
        &["limits.cpu", "Nothing was changed"],
    );
    assert_eq!(pods(scratch), before, "nothing was changed");
    assert_eq!(hello.status()["state"], "running");
}

/// The names of the webservice's Pods.
fn pods(scratch: &Scratch) -> Vec<String> {
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
