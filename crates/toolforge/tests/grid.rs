//! Webservices on a grid: Debian's Grid Engine runs them, the runner registers them with the gateway, and they are gone
//! with their job.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    os::unix::fs::{MetadataExt as _, chown},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use toolforge_testkit::{GridEngine, GridUser, Outcome, Scratch, eventually, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const QUEUES: [&str; 2] = ["webgrid-lighttpd", "webgrid-generic"];

/// A grid with the users of these tools.
fn grid(scratch: &Scratch, tools: &[&str]) -> GridEngine {
    let users: Vec<GridUser> = tools
        .iter()
        .map(|tool| GridUser {
            name: format!("tools.{tool}"),
            id: scratch.home(tool).metadata().unwrap().uid(),
            home: scratch.home(tool),
        })
        .collect();
    GridEngine::start(&QUEUES, &users)
}

/// A command as a tool, with the grid's programs on its PATH.
fn on_grid(scratch: &Scratch, grid: &GridEngine, tool: &str, command: &[&str]) -> Outcome {
    let path = format!(
        "PATH={}:{}:/usr/bin:/bin",
        grid.bin().display(),
        scratch.data().join("bin").display()
    );
    scratch.as_tool(tool, &[&["env", &path][..], command].concat())
}

fn error_log(scratch: &Scratch, tool: &str) -> String {
    std::fs::read_to_string(scratch.home(tool).join("error.log")).unwrap_or_default()
}

/// A webservice that says where it runs.
const SERVER: &str = r#"
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

open(os.path.expanduser("~/pid"), "w").write(str(os.getpid()))
PLACE = "the grid" if "JOB_ID" in os.environ else "Kubernetes"

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"served by {PLACE}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
"#;

/// Requests, one after the other, until it is told to stop: at most so many.
const REQUESTS: u32 = 20_000;

/// A visitor who keeps coming; what was not a page, and how many were.
fn visit_on(scratch: &Scratch, stop: &Arc<AtomicBool>) -> JoinHandle<(Vec<String>, u32)> {
    let (visitor, url, stop) = (
        scratch.visitor(&["hello"]),
        scratch.url("hello"),
        Arc::clone(stop),
    );
    thread::spawn(move || {
        let (mut failures, mut pages) = (Vec::new(), 0);
        while pages < REQUESTS && !stop.load(Ordering::Relaxed) {
            match visitor.get(&url) {
                Ok(answer) if answer.text.starts_with("served by") => pages += 1,
                other => failures.push(format!("after {pages}: {other:?}")),
            }
        }
        (failures, pages)
    })
}

fn until_says(scratch: &Scratch, says: &str) {
    let (visitor, url) = (scratch.visitor(&["hello"]), scratch.url("hello"));
    eventually(says, || match visitor.get(&url) {
        Ok(answer) if answer.text.contains(says) => Ok(()),
        other => Err(format!("{other:?}; {}", error_log(scratch, "hello"))),
    });
}

/// What one copy of a job cannot do is refused with the way that there is.
fn only_on_kubernetes(webservice: &dyn Fn(&str, &[&str]) -> Outcome) {
    for (words, way) in [
        (&["scale", "2"][..], "webservice migrate --replicas"),
        (&["exec", "--", "true"], "webservice logs"),
        (&["rollback"], "webservice restart"),
    ] {
        let refused = webservice("hello", words);
        assert!(
            refused.code == 1 && refused.stderr.contains("runs on the grid") && refused.stderr.contains(way),
            "{refused:?}"
        );
    }
    let set = webservice("hello", &["env", "set", "COLOUR=blue"]);
    assert!(
        set.code == 0 && set.stderr.contains("jobs do not get it"),
        "{set:?}"
    );
    let why = webservice("hello", &["why"]).ok();
    assert!(
        why.contains("runs\n") && why.contains("Every link holds."),
        "{why}"
    );
}

/// SIGKILL for the process that registers: the grandparent of the server.
fn kill_runner(scratch: &Scratch) {
    let parent = |process: &str| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        line.unwrap().trim().to_owned()
    };
    let server = std::fs::read_to_string(scratch.home("hello").join("pid")).unwrap();
    let runner = parent(&parent(&server));
    let command = std::fs::read_to_string(format!("/proc/{runner}/cmdline")).unwrap();
    assert!(command.contains("--register-proxy"), "{command}");
    let killed = std::process::Command::new("kill")
        .args(["-9", &runner])
        .status()
        .unwrap();
    assert!(killed.success());
}

fn until_stopped(webservice: &dyn Fn(&str, &[&str]) -> Outcome) {
    eventually("the end of the job", || {
        let status = webservice("hello", &["status"]).stdout;
        if status == "Your webservice is not running\n" {
            Ok(())
        } else {
            Err(status)
        }
    });
}

/// The other types run there as they do on Kubernetes.
fn other_types(scratch: &Scratch, webservice: &dyn Fn(&str, &[&str]) -> Outcome) {
    let (visitor, home) = (scratch.visitor(&["clock"]), scratch.home("clock"));
    for (kind, file, text, says) in [
        ("lighttpd", "public_html/index.html", "a page", "a page"),
        ("lighttpd", "public_html/index.php", "<?php echo 6 * 7;", "42"),
        (
            "uwsgi-python",
            "www/python/src/app.py",
            "def app(environ, start):\n    start('200 OK', [])\n    return [b'a WSGI application']\n",
            "a WSGI application",
        ),
    ] {
        let file = home.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        let started = webservice("clock", &["--backend=gridengine", kind, "start"]);
        assert!(
            started.code == 0,
            "{kind}: {started:?} {}",
            error_log(scratch, "clock")
        );
        let answer = visitor.get(&scratch.url("clock")).unwrap();
        assert!(answer.text.contains(says), "{kind}: {answer:?}");
        webservice("clock", &["stop"]).ok();
    }
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one platform and one grid for all of it, and each step stands on the one before"
)]
fn a_webservice_lives_on_a_grid_and_moves_to_kubernetes() {
    let scratch = Scratch::new(PROGRAM);
    let settings = scratch.path().join("gateway.yaml");
    std::fs::write(
        &settings,
        "registrations: { destinationNetworks: [127.0.0.1/32], checkIntervalSeconds: 1 }\n",
    )
    .unwrap();
    let (settings, port) = (settings.to_string_lossy(), free_port().to_string());
    let _platform = scratch.start(&["--gateway-settings", &settings, "--register-port", &port]);
    let grid = grid(&scratch, &["hello", "clock"]);
    let server = scratch.home("hello").join("serve.py");
    std::fs::write(&server, SERVER).unwrap();
    let webservice =
        |tool: &str, words: &[&str]| on_grid(&scratch, &grid, tool, &[&["webservice"][..], words].concat());
    let start = [
        "--backend",
        "gridengine",
        "generic",
        "start",
        "--",
        "python3",
        "-u",
        "serve.py",
    ];

    // A machine without Grid Engine says so.
    let nowhere = scratch.as_tool("hello", &[&["webservice"][..], &start].concat());
    assert!(
        nowhere.code == 1 && nowhere.stderr.contains("no Grid Engine on this machine"),
        "{nowhere:?}"
    );
    let memory = webservice(
        "hello",
        &["--backend", "gridengine", "--mem", "1Gi", "generic", "start"],
    );
    assert!(
        memory.code == 1 && memory.stderr.contains("--mem is only for --backend=kubernetes"),
        "{memory:?}"
    );

    // From start to served.
    let started = webservice("hello", &start).ok();
    assert!(
        started.contains("Your webservice of type generic is running at https://hello."),
        "{started}"
    );
    until_says(&scratch, "served by the grid");
    let manifest = std::fs::read_to_string(scratch.home("hello").join("service.manifest")).unwrap();
    assert!(manifest.contains("backend: gridengine"), "{manifest}");
    let status = webservice("hello", &["status"]).ok();
    assert!(
        status.starts_with("Your webservice of type generic is running on backend gridengine\n"),
        "{status}"
    );
    let again = webservice("hello", &start);
    assert!(
        again.code == 1 && again.stderr.contains("Your job is already running"),
        "{again:?}"
    );
    let shell = webservice("hello", &["shell"]);
    assert!(
        shell.code == 1
            && shell
                .stderr
                .contains("ERROR: shell is only supported for kubernetes backend"),
        "{shell:?}"
    );
    let logs = webservice("hello", &["logs", "--last", "3"]).ok();
    assert!(
        logs.contains("registered: visitors are led to http://127.0.0.1:"),
        "{logs}"
    );

    only_on_kubernetes(&webservice);
    // Killed without a word, it is missed.
    kill_runner(&scratch);
    until_says(&scratch, "hello does not respond");
    until_stopped(&webservice);
    let why = webservice("hello", &["--backend=gridengine", "why"]);
    assert!(
        why.code == 1 && why.stdout.contains("It has no job on the grid."),
        "{why:?}"
    );
    webservice("hello", &["start"]).ok();
    until_says(&scratch, "served by the grid");

    // Ended by somebody else, it takes its page along.
    grid.run("qdel", &["-u", "tools.hello"]).ok();
    until_says(&scratch, "hello has no webservice");
    until_stopped(&webservice);
    let restarted = webservice("hello", &["restart"]);
    assert!(
        restarted.stderr.contains("Your job is not running, starting"),
        "{restarted:?}"
    );
    restarted.ok();
    let restarted = webservice("hello", &["restart"]).ok();
    assert!(restarted.contains("Restarting..."), "{restarted}");
    until_says(&scratch, "served by the grid");

    // To a type that cannot be there: the job stays as it was.
    let stop = Arc::new(AtomicBool::new(false));
    let visits = visit_on(&scratch, &stop);
    let failed = webservice("hello", &["python", "migrate"]);
    assert!(
        failed.code == 1 && failed.stderr.contains("The job on the grid goes on serving"),
        "{failed:?}"
    );
    assert_eq!(
        scratch
            .kubectl_as("hello", &["get", "deployments", "-o", "name"])
            .ok(),
        ""
    );
    let crashing = webservice("hello", &["generic", "migrate", "--", "false"]);
    assert!(
        crashing.code == 1 && crashing.stderr.contains("The job on the grid goes on serving"),
        "{crashing:?}"
    );
    until_says(&scratch, "served by the grid");
    // And to what can be.
    let moved = webservice("hello", &["migrate"]);
    assert!(
        moved
            .stderr
            .contains("From type generic on the grid to type generic on Kubernetes"),
        "{moved:?}"
    );
    assert!(moved.clone().ok().contains(", on Kubernetes"), "{moved:?}");
    until_says(&scratch, "served by Kubernetes");
    stop.store(true, Ordering::Relaxed);
    let (failures, pages) = visits.join().unwrap();
    assert!(
        failures.is_empty() && pages > 0,
        "{} of {pages}: {:?}",
        failures.len(),
        failures.first()
    );
    assert_eq!(grid.run("qstat", &["-u", "tools.hello"]).ok(), "");
    let manifest = std::fs::read_to_string(scratch.home("hello").join("service.manifest")).unwrap();
    assert!(manifest.contains("backend: kubernetes"), "{manifest}");
    let nothing = webservice("hello", &["migrate"]);
    assert!(
        nothing.code == 1 && nothing.stderr.contains("not running on the grid"),
        "{nothing:?}"
    );

    other_types(&scratch, &webservice);
    // What does not come up says why.
    let ended = webservice(
        "clock",
        &[
            "--backend=gridengine",
            "generic",
            "start",
            "--",
            "ls",
            "/no/such/file",
        ],
    );
    assert!(
        ended.code == 1 && ended.stderr.contains("/no/such/file"),
        "{ended:?}"
    );
    webservice("clock", &["stop"]).ok();
    let log = scratch.home("clock").join("error.log");
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    chown(&log, Some(0), Some(0)).unwrap();
    let broken = webservice(
        "clock",
        &["--backend=gridengine", "generic", "start", "--", "true"],
    );
    assert!(
        broken.code == 1
            && broken
                .stderr
                .contains("cannot run (state Eqw): can't open output file"),
        "{broken:?}"
    );
    let status = webservice("clock", &["status"]).ok();
    assert!(
        status.contains("does not come up on backend gridengine"),
        "{status}"
    );
    let stopped = webservice("clock", &["stop"]).ok();
    assert!(stopped.contains("Stopping webservice..."), "{stopped}");
    assert_eq!(
        webservice("clock", &["stop"]).ok(),
        "Your webservice is not running\n"
    );
}
