//! `webservice` tells the truth: every cause of failure as a maintainer meets it, with its exit code, `status` and
//! `why`; and restarts that no visitor notices. One platform for all of it, since each step is short.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use toolforge_testkit::{Outcome, Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
/// No more requests than this, should a restart never end.
const LOAD_MOST: usize = 50_000;

/// At the speed of `download` this takes longer than any of what happens meanwhile, and than the first seconds of the end
/// of a Pod.
const LARGE_BYTES: usize = 64 << 20;

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

    /// Begins a command, and leaves it alone.
    fn begins(&self, words: &[&str]) -> Child {
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
    fn kept(&self, map: &str) -> Value {
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
    fn change(&self, map: &str, data: &Value) {
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

#[test]
fn each_cause_of_failure_is_told_with_its_exit_code() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
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
    mistaken_for_the_gateway(&hello);
    refused(&hello);
    no_room(&hello);
    unreachable(&hello);

    // No kubeconfig, and an API that goes while it is followed.
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
    let deaf = hello.begins(&["generic", "start", "--", "sh", "-c", "sleep 1000"]);
    eventually("its Pod", || match pods(&scratch).len() {
        0 => Err("there is none".to_owned()),
        _ => Ok(()),
    });
    assert_eq!(platform.stop(), 0);
    let gone = deaf.wait_with_output().unwrap();
    assert_eq!(gone.status.code(), Some(9), "{gone:?}");
    let told = String::from_utf8_lossy(&gone.stderr);
    for words in ["API does not answer", "webservice status"] {
        assert!(told.contains(words), "{words} in {told}");
    }
}

/// What a tool answers is its own word, also where a gateway might say the same.
fn mistaken_for_the_gateway(hello: &Maintainer<'_>) {
    let unavailable = SERVER.replace("else 200", "else 503");
    let began = Instant::now();
    let outcome = hello.says(&["generic", "start", "--", "python3", "-c", &unavailable]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert!(
        outcome.stderr.contains("It answers with 503"),
        "{}",
        outcome.stderr
    );
    let chain: Value = serde_json::from_str(&hello.says(&["why", "-o", "json"]).ok()).expect("JSON");
    assert!(chain["broken"].is_null(), "{chain}");
    hello.stop();
}

/// The guard of images, and that of the hosts of Ingresses.
fn refused(hello: &Maintainer<'_>) {
    let image_config = hello.kept("image-config");
    hello.change(
        "image-config",
        &json!({ "images-v1.yaml": image_config["images-v1.yaml"]
            .as_str()
            .expect("a text")
            .replace("docker-registry.tools.wmflabs.org/toolforge-static", "elsewhere.example/toolforge-static") }),
    );
    let told = [
        "elsewhere.example/toolforge-static",
        "allowed registries",
        "guards name",
    ];
    hello.fails(&["static", "start"], 4, &told);
    hello.change("image-config", &image_config);
    // Nothing of it is left half-done.
    let left = ["get", "services,ingresses,deployments", "-o", "name"];
    assert_eq!(hello.scratch.kubectl_as("hello", &left).ok(), "");
    hello.why("deployment", 1);

    let platform = hello.kept("platform");
    hello.change("platform", &json!({ "domain": "other.localhost" }));
    hello.fails(&["static", "start"], 4, &["hello.other.localhost"]);
    hello.change("platform", &platform);
    hello.why("deployment", 1);
}

/// A node that takes no Pods.
fn no_room(hello: &Maintainer<'_>) {
    hello.scratch.kubectl(&["cordon", "localhost"]).ok();
    hello.fails(
        &["static", "start"],
        10,
        &["no room", "unschedulable", "operators"],
    );
    hello.why("pod", 10);
    hello.scratch.kubectl(&["uncordon", "localhost"]).ok();
    // It goes on trying by itself.
    eventually(
        "a webservice that found a place",
        || match &hello.status()["state"] {
            state if state == "running" => Ok(()),
            other => Err(other.to_string()),
        },
    );
    hello.stop();
}

/// All is ready, and nobody gets there: the gateway is not where the platform says, or cannot be trusted.
fn unreachable(hello: &Maintainer<'_>) {
    let platform = hello.kept("platform");
    let nobody = format!("127.9.9.9:{}", hello.scratch.port("--https-port"));
    hello.change("platform", &json!({ "gateway-address": nobody }));
    hello.fails(
        &["static", "start"],
        8,
        &["Your webservice runs, but", "cannot be reached", "webservice why"],
    );
    let chain = hello.why("tls", 8);
    assert!(chain["reason"].to_string().contains(&nobody), "{chain}");
    hello.change("platform", &platform);

    // Without an authority of its own it is trusted as browsers do: whom the machine trusts.
    hello.change("platform", &json!({ "ca.crt": null }));
    hello.why("tls", 8);
    let authority = hello.scratch.path().join("authority.pem");
    std::fs::write(&authority, platform["ca.crt"].as_str().expect("a text")).unwrap();
    let trusts = format!("SSL_CERT_FILE={}", authority.display());
    let command = ["env", &trusts, "webservice", "why"];
    let whole = hello.scratch.as_tool(hello.tool, &command).ok();
    assert!(whole.contains("Every link holds."), "{whole}");
    hello.change("platform", &platform);
    hello.stop();
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
    let history = hello.says(&["history"]).ok();
    assert!(history.contains("did not come up"), "{history}");
    // Of all that was tried here only one came up.
    hello.says(&["rollback"]).ok();
    let status = hello.status();
    assert_eq!(
        (&status["type"], &status["older_version_serves"]),
        (&"static".into(), &false.into()),
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
        .says(&["generic", "start", "--cpu", "200m", "--", "python3", "-c", SERVER])
        .ok();

    let editor = scratch.path().join("editor");
    std::fs::write(&editor, "#!/bin/sh\necho 'mem: 700Mi' > \"$1\"\n").unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let editor = format!("EDITOR={}", editor.display());

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
        let downloaded = scope.spawn(|| download(&scratch));
        for change in [
            &["restart", "--mem", "600Mi"][..],
            &["restart"],
            &["scale", "2"],
            &["restart", "--mem", "700Mi"],
            &["env", "set", "COLOUR=blue"],
            &["scale", "1"],
            &["rollback"],
            &["rollback"],
            &["edit", "--apply"],
            &["env", "unset", "COLOUR"],
            &["scale", "2"],
        ] {
            let command: Vec<&str> = ["env", &editor, "webservice"]
                .iter()
                .chain(change)
                .copied()
                .collect();
            let outcome = scratch.as_tool("hello", &command);
            over.fetch_or(outcome.code != 0, Ordering::Relaxed);
            outcome.ok();
        }
        downloaded.join().unwrap();
        std::fs::remove_file(scratch.home("hello").join("service.template")).unwrap();
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

/// Who downloads something large, slowly, gets all of it though the tool restarts meanwhile and is stopped then; who
/// stops it need not wait for that.
fn download(scratch: &Scratch) {
    let clock = Maintainer {
        scratch,
        tool: "clock",
    };
    let folder = scratch.home("clock").join("public_html");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("large.bin"), vec![b'x'; LARGE_BYTES]).unwrap();
    clock.says(&["static", "start"]).ok();
    let slow = |name: &str| {
        let mut command = Command::new("curl");
        let host = format!(
            "clock.toolforge.localhost:{}:127.0.0.1",
            scratch.port("--https-port")
        );
        command
            .args([
                "-sS",
                "--fail",
                "--limit-rate",
                "4M",
                "--resolve",
                &host,
                "--cacert",
            ])
            .arg(scratch.data().join("pki/web-ca.crt"))
            .arg(format!("{}large.bin", scratch.url("clock")))
            .arg("--output")
            .arg(scratch.path().join(name))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let first = slow("first.bin");
    begun(scratch, "first.bin");
    clock.says(&["restart"]).ok();
    let second = slow("second.bin");
    begun(scratch, "second.bin");
    let stopped = Instant::now();
    clock.stop();
    assert!(
        stopped.elapsed() < Duration::from_secs(12),
        "{:?}",
        stopped.elapsed()
    );
    for (name, download) in [("first.bin", first), ("second.bin", second)] {
        let output = download.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {told}");
        assert_eq!(bytes(scratch, name), LARGE_BYTES, "{name}: {told}");
    }
}

/// Waits for the first bytes of a download.
fn begun(scratch: &Scratch, name: &str) {
    eventually("the begin of a download", || match bytes(scratch, name) {
        0 => Err("nothing yet".to_owned()),
        _ => Ok(()),
    });
}

fn bytes(scratch: &Scratch, name: &str) -> usize {
    let file = std::fs::metadata(scratch.path().join(name));
    file.map_or(0, |file| usize::try_from(file.len()).unwrap())
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
