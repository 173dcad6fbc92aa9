//! The main job, from outside: one command starts the platform, a maintainer's command puts a tool on the
//! web, and a visitor gets it over HTTPS.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use reqwest::{Method, StatusCode};
use toolforge_testkit::{Outcome, Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

#[test]
fn a_static_tool_goes_on_the_web_and_off_again() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
    let visitor = scratch.visitor(&["hello"]);
    let url = scratch.url("hello");

    let before = visitor.get(&url).unwrap();
    assert_eq!(before.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        before.text.contains("Ada Lovelace") && before.text.contains("Grace Hopper"),
        "{}",
        before.text
    );

    let started = scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    assert!(
        started.contains(&format!("Your webservice of type static is running at {url}")),
        "{started}"
    );
    let page = visitor.get(&url).unwrap();
    assert_eq!(
        (page.status, page.text.contains("<h1>Hello.</h1>")),
        (StatusCode::OK, true)
    );
    assert_eq!(
        visitor.get(&format!("{url}style.css")).unwrap().headers["content-type"],
        "text/css; charset=utf-8"
    );
    assert_eq!(
        visitor.get(&format!("{url}nothing")).unwrap().status,
        StatusCode::NOT_FOUND
    );

    let again = scratch.as_tool("hello", &["webservice", "static", "start"]);
    assert_eq!(again.code, 1);
    assert!(
        again.stderr.contains("Your job is already running"),
        "{}",
        again.stderr
    );
    let status = scratch.as_tool("hello", &["webservice", "status"]).ok();
    assert!(
        status.contains("Your webservice of type static is running on backend kubernetes"),
        "{status}"
    );
    let logs = scratch.as_tool("hello", &["webservice", "logs"]).ok();
    assert!(logs.contains("serving") && logs.contains("[hello-"), "{logs}");

    scratch.as_tool("hello", &["webservice", "restart"]).ok();
    assert_eq!(visitor.get(&url).unwrap().status, StatusCode::OK);

    let stopped = scratch.as_tool("hello", &["webservice", "stop"]).ok();
    assert!(stopped.contains("Your webservice is stopped"), "{stopped}");
    eventually("the page that says that nothing runs", || {
        match visitor.get(&url) {
            Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let twice = scratch.as_tool("hello", &["webservice", "stop"]).ok();
    assert!(twice.contains("Your webservice is not running"), "{twice}");
    assert_eq!(platform.stop(), 0);
}

#[test]
fn python_and_any_program_are_served_too() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let visitor = scratch.visitor(&["clock", "files"]);

    scratch.as_tool("clock", &["webservice", "python", "start"]).ok();
    let clock = visitor.get(&scratch.url("clock")).unwrap();
    assert!(
        clock.status == StatusCode::OK && clock.text.contains("It is <time>"),
        "{}",
        clock.text
    );

    let mut create = scratch.command(&["tool", "create", "files", "--maintainer", "ada"]);
    assert!(Outcome::of(&mut create).ok().contains("files is ready"));
    std::fs::write(scratch.home("files").join("answer.txt"), "forty-two").unwrap();
    // Listens on every address, as most programs do; so does the clock, on the same port. (http.server's own
    // command looks its address up in a DNS first, which may not be there.)
    let server = "import http.server as h, os, socketserver as s\n\
                  s.TCPServer(('', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler).serve_forever()";
    let serve = "echo uid $(id -u); exec python3 -c \"$0\"";
    scratch
        .as_tool(
            "files",
            &["webservice", "generic", "start", "--", "sh", "-c", serve, server],
        )
        .ok();
    let answer = visitor
        .get(&format!("{}answer.txt", scratch.url("files")))
        .unwrap();
    assert_eq!(answer.text, "forty-two");
    assert_eq!(visitor.get(&scratch.url("clock")).unwrap().status, StatusCode::OK);

    let owner = std::fs::metadata(scratch.home("files")).unwrap().uid();
    let logs = scratch
        .as_tool("files", &["webservice", "logs", "--last", "100"])
        .ok();
    assert!(
        logs.contains(&format!("uid {owner}")),
        "the program runs as the tool ({owner}): {logs}"
    );
    let list = Outcome::of(&mut scratch.command(&["tool", "list"])).ok();
    for word in ["hello", "clock", "files", "katherine", "running", "stopped"] {
        assert!(list.contains(word), "{word} in {list}");
    }
}

#[test]
fn start_says_why_a_webservice_does_not_come_up() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);

    let crash = "echo it all went wrong >&2; exit 3";
    let failed = scratch.as_tool(
        "hello",
        &["webservice", "generic", "start", "--", "sh", "-c", crash],
    );
    assert_eq!(failed.code, 1);
    assert!(
        failed.stderr.contains("it all went wrong"),
        "its last words: {}",
        failed.stderr
    );
    assert!(failed.stderr.contains("exit code 3"), "{}", failed.stderr);
    let status = scratch.as_tool("hello", &["webservice", "status"]).ok();
    assert!(status.contains("does not come up"), "{status}");
    scratch.as_tool("hello", &["webservice", "stop"]).ok();

    let unknown = scratch
        .as_tool("hello", &["webservice", "cobol", "start"])
        .refused();
    assert!(
        unknown.contains("type must be one of:") && unknown.contains("static"),
        "{unknown}"
    );
    let missing = scratch
        .as_tool("clock", &["webservice", "static", "start"])
        .refused();
    assert!(missing.contains("public_html"), "{missing}");
    let nothing = scratch
        .kubectl_as("clock", &["get", "deployments,services,ingresses", "-o", "name"])
        .ok();
    assert_eq!(nothing, "", "a start that cannot work leaves nothing behind");
}

#[test]
fn visitors_of_nothing_are_told_so() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let visitor = scratch.visitor(&["helo", "hello"]);

    let unknown = visitor.get(&scratch.url("helo")).unwrap();
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(
        unknown.text.contains("The URL you have requested"),
        "{}",
        unknown.text
    );
    assert!(
        unknown.text.contains("hello"),
        "a near miss is offered: {}",
        unknown.text
    );

    let port = scratch.port("--http-port");
    let plain = format!("http://hello.toolforge.localhost:{port}/a?b=c");
    let redirect = visitor.send(Method::GET, &plain, &[]).unwrap();
    assert_eq!(redirect.status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(
        redirect.headers["location"],
        format!("{}a?b=c", scratch.url("hello")).as_str()
    );
}

#[test]
fn every_tool_gets_its_place_with_nobody_else_in_it() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);

    let objects =
        "namespace/tool-hello,resourcequota/tool-hello,limitrange/tool-hello,rolebinding/hello-tool-binding";
    for object in objects.split(',') {
        scratch.kubectl(&["-n", "tool-hello", "get", object]).ok();
    }
    let config = scratch.home("hello").join(".kube/config");
    let metadata = std::fs::metadata(&config).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        metadata.uid(),
        std::fs::metadata(scratch.home("hello")).unwrap().uid()
    );
    let admin = std::fs::metadata(scratch.data().join("admin.kubeconfig")).unwrap();
    assert_eq!(admin.permissions().mode() & 0o777, 0o600);

    assert_eq!(
        scratch
            .kubectl_as("hello", &["auth", "can-i", "create", "deployments"])
            .ok(),
        "yes\n"
    );
    let elsewhere = scratch
        .kubectl_as("hello", &["-n", "tool-clock", "get", "pods"])
        .refused();
    assert!(elsewhere.contains("Forbidden"), "{elsewhere}");
    let nodes = scratch.kubectl_as("hello", &["get", "nodes"]).refused();
    assert!(nodes.contains("Forbidden"), "{nodes}");
}
