//! Visitors notice nothing of what a maintainer does: no failed request, no cut download.

use std::{
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use toolforge_testkit::{Scratch, eventually};

use crate::{
    PROGRAM, SERVER,
    maintainer::{Maintainer, pods},
};

/// No more requests than this, should a restart never end.
const LOAD_MOST: usize = 50_000;

/// At the speed of `download` this takes longer than any of what happens meanwhile, and than the first seconds of the end
/// of a Pod.
const LARGE_BYTES: usize = 64 << 20;

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
