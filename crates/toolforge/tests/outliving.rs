//! What a gateway goes on with when others end without a word, the API or Pods: everything.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use toolforge_pki::Authority;
use toolforge_testkit::{Scratch, Visitor, eventually, free_port};

#[path = "load/visitors.rs"]
mod load;

use load::{Door, Load, REQUESTS, echo, tool};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const HOST: &str = "hello.toolforge.localhost";
/// How often the API is killed.
const KILLS: usize = 5;
/// How many Pods a tool has, each of which is killed once: after that their node would wait with the next start.
const PODS: usize = 3;

/// A tool that thinks before it answers, so that a Pod that is killed always has requests under way.
const THINKER: &str = "
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        time.sleep(0.1)
        self.wfile.write(b'HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok')
http.server.ThreadingHTTPServer(('', int(os.environ['PORT'])), Handler).serve_forever()
";

/// Ended when dropped.
struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already, which the test then sees in other ways.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A gateway of its own before the platform's API, that outlives it.
fn gateway(scratch: &Scratch) -> (Gateway, Door) {
    let authority = Authority::create("test authority").unwrap();
    let identity = authority.issue_server(&["*.toolforge.localhost"]).unwrap();
    let file = |name: &str| scratch.path().join(name).to_string_lossy().into_owned();
    let (certificate, key) = (file("tls.crt"), file("tls.key"));
    fs::write(&certificate, &identity.certificate_pem).unwrap();
    fs::write(&key, &identity.key_pem).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let mut command = scratch.command(&["gateway", "--domain", "toolforge.localhost"]);
    command
        .args(["--https", &address.to_string(), "--table", &file("table.json")])
        .args(["--tls-cert", &certificate, "--tls-key", &key, "--kubeconfig"])
        .arg(scratch.data().join("admin.kubeconfig"))
        .stdout(Stdio::null());
    let door = Door {
        authority: authority.certificate_pem().to_owned(),
        host: HOST,
        address,
    };
    (Gateway(command.spawn().unwrap()), door)
}

/// What routes the tool's host to a program that runs outside of the platform.
fn objects(at: SocketAddr) -> Value {
    let name = json!({"name": "outside", "namespace": "tool-hello"});
    let mut slice = name.clone();
    slice["labels"] = json!({"kubernetes.io/service-name": "outside"});
    let service = json!({"name": "outside", "port": {"number": 8000}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": {"service": service}}]);
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": {"ports": [{"name": "http", "port": 8000}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": slice, "addressType": "IPv4",
            "endpoints": [{"addresses": [at.ip()], "conditions": {"ready": true}}],
            "ports": [{"name": "http", "port": at.port()}]},
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": name,
            "spec": {"ingressClassName": "toolforge", "rules": [{"host": HOST, "http": {"paths": paths}}]}},
    ]})
}

fn apply(scratch: &Scratch, at: SocketAddr) {
    let file = scratch.path().join("outside.json");
    fs::write(&file, objects(at).to_string()).unwrap();
    scratch
        .kubectl(&["apply", "--filename", &file.to_string_lossy()])
        .ok();
}

/// Waits until visitors are answered by this tool.
fn answered_by(door: &Door, name: &str) {
    let visitor = Visitor::new(&door.authority, &[(HOST, door.address)]);
    eventually("an answer of the tool", || match visitor.get(&door.url()) {
        Ok(answer) if answer.headers.get("x-tool").is_some_and(|told| told == name) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn api_that_is_killed_under_load_costs_no_request_and_no_open_connection() {
    toolforge_pki::install_provider();
    // Tools and visitors go on while this thread waits for programs.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let tools = ["one", "two"].map(|name| (name, runtime.block_on(tool(name))));
    let scratch = Scratch::new(PROGRAM);
    let mut platform = scratch.start(&[]);
    let (_gateway, door) = gateway(&scratch);
    let door = Arc::new(door);
    apply(&scratch, tools[0].1);
    answered_by(&door, "one");
    let mut chat = runtime.block_on(echo(&door));
    let load = runtime.block_on(Load::begin(&door));
    for kill in 1..=KILLS {
        load.goes_on();
        platform.kill();
        load.goes_on();
        platform = scratch.start(&[]);
        // What changes afterwards is heard of.
        let (name, address) = tools[kill % 2];
        apply(&scratch, address);
        answered_by(&door, name);
    }
    load.goes_on();
    load.has_made_at_most(5);
    let answered = runtime.block_on(load.end());
    assert!(answered > 2 * KILLS * REQUESTS, "{answered}");

    let mut heard = [0; 10];
    runtime
        .block_on(async {
            chat.write_all(b"still here").await?;
            chat.read_exact(&mut heard).await
        })
        .unwrap();
    assert_eq!(&heard, b"still here");
    assert_eq!(platform.stop(), 0);
}

/// The processes of a tool that are marked so; those that were started in place of others come last.
fn servers(mark: &str) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").unwrap().map(Result::unwrap);
    let mut found: Vec<Pid> = processes
        .filter_map(|process| {
            let number = process.file_name().to_str()?.parse().ok()?;
            // It may have ended meanwhile.
            let words = fs::read_to_string(process.path().join("cmdline")).ok()?;
            let mut words = words.split('\0');
            let is_one = words.next()?.contains("python") && words.any(|word| word == mark);
            is_one.then(|| Pid::from_raw(number)).flatten()
        })
        .collect();
    found.sort_unstable_by_key(|process| process.as_raw_nonzero());
    found
}

/// Tells visitors to end, also where the test has failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn pods_that_are_killed_under_load_cost_no_request() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
    // What tells its processes from all others of the machine.
    let mark = scratch.path().to_string_lossy();
    let start = ["webservice", "generic", "start", "-r", "3", "--", "python3", "-c"];
    scratch
        .as_tool("hello", &[&start[..], &[THINKER, &mark]].concat())
        .ok();
    let kubectl = |line: &str| {
        let words = line.split(' ').chain(["-n", "tool-hello"]);
        scratch.kubectl(&words.collect::<Vec<_>>()).ok()
    };
    let url = scratch.url("hello");
    let visitors: Vec<Visitor> = (0..8).map(|_| scratch.visitor(&["hello"])).collect();
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _over = Over(&is_over);
        for visitor in &visitors {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = visitor.get(&url).expect("every request is answered");
                    assert_eq!(answer.status, 200, "{}", answer.text);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let goes_on = || {
            let before = answered.load(Ordering::Relaxed);
            eventually("more answers", || {
                let now = answered.load(Ordering::Relaxed);
                (now >= before + REQUESTS).then_some(()).ok_or(format!("{now}"))
            });
        };
        let mut killed = Vec::new();
        for _ in 0..PODS {
            kubectl("wait --for=jsonpath={.status.readyReplicas}=3 deployment/hello --timeout=60s");
            goes_on();
            let servers = servers(&mark);
            assert_eq!(servers.len(), PODS);
            let next = servers
                .into_iter()
                .find(|server| !killed.contains(server))
                .unwrap();
            kill_process(next, Signal::KILL).unwrap();
            killed.push(next);
            goes_on();
        }
    });
    assert_eq!(platform.stop(), 0);
}
