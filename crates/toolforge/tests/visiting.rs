//! What lies between a visitor and a tool, with real curl: a balancer that says who connected, compression, and what
//! annotations of the tool's Ingress ask for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use toolforge_testkit::{Outcome, Running, Scratch, eventually, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const HOST: &str = "hello.toolforge.localhost";

/// Another address of this machine: somebody else, as far as the gateway can see.
const VISITOR: &str = "127.0.0.9";

/// A tool that answers with what it was sent, from the first byte of the connection to the end of the head.
const MIRROR: &str = r#"
import os, socket
door = socket.create_server(("", int(os.environ["PORT"])))
while True:
    visit, _ = door.accept()
    with visit:
        head = b""
        while b"\r\n\r\n" not in head and (more := visit.recv(65536)):
            head += more
        answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(head)}\r\nConnection: close\r\n\r\n"
        if head:
            visit.sendall(answer.encode() + head)
"#;

/// Somebody with curl, who believes the platform's authority.
struct Curl<'a> {
    scratch: &'a Scratch,
    authority: PathBuf,
}

impl<'a> Curl<'a> {
    fn new(scratch: &'a Scratch) -> Self {
        let authority = scratch.path().join("authority.crt");
        let text = Outcome::of(&mut scratch.command(&["trust"])).ok();
        fs::write(&authority, text).unwrap();
        Self { scratch, authority }
    }

    /// Asks the hello tool for a path, at the port of the gateway or of what stands before it.
    fn ask(&self, port: u16, path: &str, words: &[&str]) -> Outcome {
        let url = format!("https://{HOST}:{port}/{path}");
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"])
            .arg(&self.authority)
            .args(["--resolve", &format!("{HOST}:{port}:127.0.0.1")])
            .args(words)
            .arg(url);
        Outcome::of(&mut curl)
    }

    fn ask_gateway(&self, path: &str, words: &[&str]) -> Outcome {
        self.ask(self.scratch.port("--https-port"), path, words)
    }
}

fn annotate(scratch: &Scratch, ingress: &str, annotations: &[&str]) -> Outcome {
    let named = annotations
        .iter()
        .map(|annotation| format!("nginx.ingress.kubernetes.io/{annotation}"));
    let named: Vec<String> = named.collect();
    let mut words = vec!["annotate", "ingress", ingress];
    words.extend(named.iter().map(String::as_str));
    scratch.kubectl_as("hello", &words)
}

#[test]
fn a_balancer_says_who_connected_and_tools_hear_it_where_the_operator_says_so() {
    let scratch = Scratch::new(PROGRAM);
    let settings = scratch.path().join("gateway.yaml");
    let proxies = "proxyProtocol: { https: [127.0.0.1] }\n";
    // The maintainer's own look at the tool comes without a header: that is before the balancer.
    fs::write(&settings, "").unwrap();
    let _platform = scratch.start(&["--gateway-settings", &settings.to_string_lossy()]);
    let serve = ["webservice", "generic", "start", "--", "python3", "-c", MIRROR];
    scratch.as_tool("hello", &serve).ok();
    fs::write(&settings, proxies).unwrap();
    let (_balancer, port) = balancer(&scratch);
    let curl = Curl::new(&scratch);
    let told = |beginning: &str| {
        eventually(beginning, || {
            let visit = curl.ask(port, "where?q=1", &["--interface", VISITOR]);
            if visit.stdout.starts_with(beginning) {
                Ok(visit.stdout)
            } else {
                Err(format!("{visit:?}"))
            }
        })
    };

    let head = told("GET /where?q=1 HTTP/1.1\r\n");
    let host = format!("host: {HOST}:{port}\r\n");
    assert!(head.to_lowercase().contains(&host), "{head}");
    assert!(
        !head.contains(VISITOR),
        "nobody said that the tool may know: {head}"
    );

    // Whoever comes without saying who it is comes to nothing.
    let bare = curl.ask_gateway("", &[]);
    assert_ne!(bare.code, 0, "{bare:?}");

    let allowed = format!("{proxies}visitorAddressesFor: [hello]\nproxyProtocolTo: {{ hello: 1 }}\n");
    fs::write(&settings, allowed).unwrap();
    let head = told(&format!("PROXY TCP4 {VISITOR} 127."));
    let forwarded = format!("x-forwarded-for: {VISITOR}\r\n");
    assert!(head.to_lowercase().contains(&forwarded), "{head}");

    // And who is banned is known behind the balancer too.
    fs::write(&settings, format!("{proxies}bannedAddresses: [{VISITOR}]\n")).unwrap();
    eventually("the ban of whom the balancer names", || {
        let visit = curl.ask(
            port,
            "",
            &[
                "--interface",
                VISITOR,
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
            ],
        );
        if visit.stdout == "403" {
            Ok(())
        } else {
            Err(format!("{visit:?}"))
        }
    });
    assert!(curl.ask(port, "", &[]).stdout.starts_with("GET / HTTP/1.1\r\n"));
}

/// Before the gateway, and before a port at which nobody listens; and where it listens itself.
fn balancer(scratch: &Scratch) -> (Running, u16) {
    let (port, nobody, gateway) = (free_port(), free_port(), scratch.port("--https-port"));
    let file = scratch.path().join("balancer.yaml");
    let text = format!(
        "services:\n- name: edge\n  listen: 127.0.0.1:{port}\n  targets: [{{ address: '127.0.0.1:{nobody}' }}, {{ address: '127.0.0.1:{gateway}' }}]\n  \
         balance: leastConnections\n  proxyProtocol: v2\n"
    );
    fs::write(&file, text).unwrap();
    let child = Command::new(PROGRAM)
        .args(["balance", "--settings"])
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    (Running(child), port)
}

#[test]
fn pages_are_compressed_as_the_visitor_wishes_and_arrive_as_they_are() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let lines: Vec<String> = (0..20_000)
        .map(|line| format!("line {line} of a page\n"))
        .collect();
    let page = lines.concat();
    fs::write(scratch.home("hello").join("public_html/page.txt"), &page).unwrap();
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let curl = Curl::new(&scratch);
    let head = scratch.path().join("head");
    let ask = |accepted: &str| {
        let accepted = format!("Accept-Encoding: {accepted}");
        let words = [
            "--compressed",
            "--header",
            &accepted,
            "--dump-header",
            path(&head),
        ];
        let answer = curl.ask_gateway("page.txt", &words).ok();
        (answer, fs::read_to_string(&head).unwrap().to_lowercase())
    };
    for (accepted, coding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, br;q=0.5", "gzip"),
    ] {
        let (answer, head) = ask(accepted);
        assert!(
            head.contains(&format!("content-encoding: {coding}\r\n")),
            "{accepted}: {head}"
        );
        assert_eq!(answer.len(), page.len(), "{accepted}");
        assert!(answer == page, "{accepted}: another page arrives");
    }
    let (answer, head) = ask("identity");
    assert!(!head.contains("content-encoding"), "{head}");
    assert!(
        head.contains(&format!("content-length: {}\r\n", page.len())),
        "{head}"
    );
    assert!(answer == page);
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_tool_asks_for_more_with_annotations_and_for_too_much_in_vain() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    fs::write(scratch.home("hello").join("public_html/moved.txt"), "here it is").unwrap();
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let curl = Curl::new(&scratch);

    let asked = ["enable-cors=true", "proxy-body-size=1k", "custom-http-errors=404"];
    annotate(&scratch, "hello-subdomain", &asked).ok();
    let is_there = |words: &[&str], wanted: &dyn Fn(&str) -> bool, at: &str| {
        eventually(at, || {
            let answer = curl.ask_gateway(at, words);
            if wanted(&answer.stdout) {
                Ok(())
            } else {
                Err(format!("{answer:?}"))
            }
        });
    };
    let from = ["--head", "--header", "Origin: https://example.org"];
    is_there(
        &from,
        &|head| head.to_lowercase().contains("access-control-allow-origin: *"),
        "",
    );
    let body = "x".repeat(1025);
    let post = [
        "--data",
        &body,
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
    ];
    is_there(&post, &|status| status == "413", "");

    // An Ingress of the tool's own making, beside that of its webservice.
    let ingress = format!(
        r#"{{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {{"name": "old", "annotations": {{
            "nginx.ingress.kubernetes.io/rewrite-target": "/$1"}}}},
            "spec": {{"ingressClassName": "toolforge", "rules": [{{"host": "{HOST}", "http": {{"paths": [{{
            "path": "/old/(.*)", "pathType": "ImplementationSpecific",
            "backend": {{"service": {{"name": "hello", "port": {{"number": 8000}}}}}}}}]}}}}]}}}}"#
    );
    let file = scratch.path().join("old.json");
    fs::write(&file, ingress).unwrap();
    scratch.kubectl_as("hello", &["apply", "-f", path(&file)]).ok();
    is_there(&[], &|page| page == "here it is", "old/moved.txt");

    annotate(
        &scratch,
        "old",
        &["permanent-redirect=https://example.org$request_uri"],
    )
    .ok();
    is_there(
        &[
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code} %{redirect_url}",
        ],
        &|led| led == "301 https://example.org/old/moved.txt?q=1",
        "old/moved.txt?q=1",
    );

    let refused = annotate(&scratch, "old", &["configuration-snippet=deny all;"]).refused();
    assert!(refused.contains("configuration-snippet"), "{refused}");
    // What was there before goes on.
    is_there(
        &["--output", "/dev/null", "--write-out", "%{http_code}"],
        &|status| status == "301",
        "old/",
    );
}
