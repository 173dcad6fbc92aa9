//! What ten thousand hosts hold of the gateway's memory; and thousands of visitors who want nothing, or never finish: what they
//! hold is bounded, and others are served. The gateway is in a process of its own for each, so that none finds memory that
//! another one left, and the visitors are in another, so that what is measured is the gateway's alone.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[expect(dead_code, reason = "made for more tests than these")]
#[path = "gateway/scene.rs"]
mod scene;
#[expect(dead_code, reason = "made for more tests than these")]
#[path = "gateway/tools.rs"]
mod tools;

use std::{
    convert::Infallible,
    env, fs,
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Mutex,
    task::spawn_blocking,
};
use toolforge_gateway::PlainHttp;
use toolforge_routing::{RouteTable, Snapshot};

use crate::{
    scene::{Scene, Version},
    tools::{Body, Tool},
};

/// One test at a time measures.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What a process of its own is to measure: a kind of visitor, how many of them, and the most bytes for each.
const MEASURED: &str = "TOOLFORGE_TEST_MEASURED";

/// What the visitors' process is to do: a kind of visitor, how many of them, and where.
const VISITORS: &str = "TOOLFORGE_TEST_VISITORS";

const HOST: &str = "host: alpha.toolforge.test\r\n";

/// Visitors in another process, until this is dropped.
struct Visitors(Child);

impl Visitors {
    /// Comes back when all of them have done what they do, with how many are still connected.
    async fn come(kind: &str, count: usize, address: SocketAddr) -> (Self, usize) {
        let wanted = format!("{kind} {count} {address}");
        let coming = spawn_blocking(move || {
            let mut child = Command::new(env::current_exe().unwrap())
                .args([
                    "--ignored",
                    "--exact",
                    "visitors_of_another_process",
                    "--nocapture",
                ])
                .env_remove(MEASURED)
                .env(VISITORS, wanted)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut counts = lines.filter_map(|line| line.unwrap().strip_prefix("connected: ")?.parse().ok());
            let connected = counts.next().expect("the visitors did not come");
            (Self(child), connected)
        });
        coming.await.unwrap()
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test: what the other process does.
#[tokio::test]
#[ignore = "run by the tests of this file, in a process of its own"]
async fn visitors_of_another_process() {
    let Ok(wanted) = env::var(VISITORS) else {
        return;
    };
    let words: Vec<&str> = wanted.split(' ').collect();
    let [kind, count, address] = words[..] else {
        unreachable!("{wanted}");
    };
    let (count, address) = (count.parse().unwrap(), address.parse().unwrap());
    let visitors = stream::iter(0..count).map(|_| visit(kind, address));
    let visitors: Vec<TcpStream> = visitors.buffer_unordered(64).collect().await;
    let is_open = |visitor: &&TcpStream| match visitor.try_read(&mut [0]) {
        Ok(count) => count > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    };
    println!("\nconnected: {}", visitors.iter().filter(is_open).count());
    // Until the one who measures is done.
    spawn_blocking(|| std::io::stdin().read(&mut [0]))
        .await
        .unwrap()
        .unwrap();
}

/// What one visitor does.
async fn visit(kind: &str, address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    match kind {
        // Says nothing, not even a greeting of TLS.
        "silent" => {}
        // Has been answered, and may ask again.
        "idle" => {
            let request = format!("GET /.well-known/healthz HTTP/1.1\r\n{HOST}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"proxy ok!") {
                assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
            }
        }
        // Stops in the middle of a head.
        "slow" => {
            let half = format!("GET / HTTP/1.1\r\n{HOST}x: {}", "y".repeat(1000));
            stream.write_all(half.as_bytes()).await.unwrap();
        }
        // Never ends a head.
        "flood" => {
            let fields = format!(
                "GET / HTTP/1.1\r\n{HOST}{}",
                format!("x: {}\r\n", "y".repeat(2000)).repeat(60)
            );
            let _ = stream.write_all(fields.as_bytes()).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.starts_with(b"HTTP/1.1 431 "));
        }
        // Asks for much, and takes nothing.
        _ => {
            let request = format!("GET / HTTP/1.1\r\n{HOST}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.readable().await.unwrap();
        }
    }
    stream
}

/// What this process has in memory.
fn resident_bytes() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    let resident: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    resident * 4096
}

/// The table of so many hosts as a gateway keeps it, each host with an Ingress, a Service and an endpoint.
fn write_table(path: &Path, hosts: usize) {
    let key =
        |number: usize| format!(r#"{{"namespace": "tool-tool-{number:05}", "name": "tool-{number:05}"}}"#);
    let list = |object: &dyn Fn(usize) -> String| (0..hosts).map(object).collect::<Vec<_>>().join(",\n");
    let service = |number: usize| {
        let key = key(number);
        format!(r#"{{"key": {key}, "ports": [{{"name": "http", "port": 8000}}]}}"#)
    };
    let slice = |number: usize| {
        let key = key(number);
        format!(
            r#"{{"key": {key}, "service": "tool-{number:05}", "ports": [{{"name": "http", "port": 8000}}], "endpoints":
               [{{"address": "127.0.0.1", "ready": true, "serving": true, "terminating": false}}]}}"#
        )
    };
    let ingress = |number: usize| {
        let key = key(number);
        format!(
            r#"{{"key": {key}, "created_seconds": 1, "class": "toolforge", "refused": null, "default_backend": null, "rules":
               [{{"host": "tool-{number:05}.toolforge.test", "paths": [{{"path": "/", "kind": "Prefix", "target":
                  {{"service": "tool-{number:05}", "port": {{"Number": 8000}}}}}}]}}]}}"#
        )
    };
    let settings = r#"{"ingress_class": "toolforge", "controller": "toolforge.org/gateway", "policy": "", "default_backend":
        {"namespace": "tool-fourohfour", "target": {"service": "fourohfour", "port": {"Number": 8000}}}}"#;
    let mut file = fs::File::create(path).unwrap();
    writeln!(file, r#"{{"version": 1, "settings": {settings}, "classes": []"#).unwrap();
    for (kind, object) in [
        ("services", &service as &dyn Fn(usize) -> String),
        ("slices", &slice),
        ("ingresses", &ingress),
    ] {
        writeln!(file, r#", "{kind}": [{}]"#, list(object)).unwrap();
    }
    writeln!(file, "}}").unwrap();
}

fn read_table(path: &Path) -> RouteTable {
    let file = BufReader::new(fs::File::open(path).unwrap());
    let snapshot: Snapshot = serde_json::from_reader(file).unwrap();
    snapshot.into_kept_table().unwrap()
}

/// Not a test: what the measuring process does with tables, which another one has written.
#[test]
#[ignore = "run by the tests of this file, in a process of its own"]
fn table_in_a_process_of_its_own() {
    let Ok(wanted) = env::var(MEASURED) else {
        return;
    };
    let (hosts, folder) = wanted.split_once(' ').unwrap();
    let (hosts, folder): (usize, &Path) = (hosts.parse().unwrap(), Path::new(folder));
    // What is made once is there.
    drop(read_table(&folder.join("few.json")));
    let before = resident_bytes();
    let table = read_table(&folder.join("many.json"));
    let more = resident_bytes().saturating_sub(before);
    assert_eq!(table.host_count(), hosts);
    let written = fs::File::create(folder.join("again.json")).unwrap();
    serde_json::to_writer(std::io::BufWriter::new(written), &Snapshot::of(&table)).unwrap();
    let again = resident_bytes().saturating_sub(before);
    println!(
        "{hosts} hosts, {} bytes each, and {} when it has been written",
        more / hosts,
        again / hosts
    );
    println!("at most: {}", again / hosts);
}

/// A table of many hosts is read from disk and kept there without being in memory a second time.
#[tokio::test]
async fn ten_thousand_hosts_hold_little() {
    const HOSTS: usize = 10_000;
    // A tenth more than it is: what comes and goes with the allocator is no reason to fail.
    const BYTES_EACH: usize = 2150;
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    write_table(&folder.path().join("few.json"), 10);
    write_table(&folder.path().join("many.json"), HOSTS);
    let measured = tokio::process::Command::new(env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "table_in_a_process_of_its_own",
            "--nocapture",
        ])
        .env(MEASURED, format!("{HOSTS} {}", folder.path().display()))
        .kill_on_drop(true)
        .output();
    let measured = measured.await.unwrap();
    let told = String::from_utf8_lossy(&measured.stdout);
    let errors = String::from_utf8_lossy(&measured.stderr);
    println!("{told}");
    let mut each = told.lines().filter_map(|line| line.strip_prefix("at most: "));
    let each: usize = each
        .next()
        .unwrap_or_else(|| unreachable!("{told}{errors}"))
        .parse()
        .unwrap();
    assert!(each < BYTES_EACH, "{told}");
}

/// Lets so many visitors come, and holds what they cost against this bound for each. Others are served meanwhile.
async fn hold(kind: &str, count: usize, bytes_each: usize) {
    let _alone = ALONE.lock().await;
    let measured = tokio::process::Command::new(env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "measured_in_a_process_of_its_own",
            "--nocapture",
        ])
        .env(MEASURED, format!("{kind} {count} {bytes_each}"))
        .kill_on_drop(true)
        .output();
    let measured = measured.await.unwrap();
    let told = String::from_utf8_lossy(&measured.stdout);
    let errors = String::from_utf8_lossy(&measured.stderr);
    println!("{told}");
    assert!(
        measured.status.success() && told.contains("each\n"),
        "{told}{errors}"
    );
}

/// Not a test: what the measuring process does.
#[tokio::test]
#[ignore = "run by the tests of this file, in a process of its own"]
async fn measured_in_a_process_of_its_own() {
    let Ok(wanted) = env::var(MEASURED) else {
        return;
    };
    let words: Vec<&str> = wanted.split(' ').collect();
    let [kind, count, bytes_each] = words[..] else {
        unreachable!("{wanted}");
    };
    let (count, bytes_each): (usize, usize) = (count.parse().unwrap(), bytes_each.parse().unwrap());
    let scene = Scene::with(PlainHttp::Serve).await;
    let tool = Tool::new(|request| async move {
        if request.uri().path() == "/small" {
            return tools::text("small");
        }
        let piece = || {
            Some(Ok::<_, Infallible>(Frame::data(Bytes::from_static(
                &[b'x'; 16 * 1024],
            ))))
        };
        let endless = StreamBody::new(stream::iter(std::iter::from_fn(piece)));
        let body: Body = http_body_util::BodyExt::boxed(endless);
        Response::new(body)
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let is_served = async || {
        let client = scene.client("alpha", Version::Http2);
        let response = client.get(scene.url("alpha", "/small")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "small");
    };
    // What is made once is there.
    is_served().await;
    let address = if kind == "silent" { scene.https } else { scene.http };
    drop(Visitors::come(kind, 10, address).await);
    let before = resident_bytes();
    let (visitors, connected) = Visitors::come(kind, count, address).await;
    let more = resident_bytes().saturating_sub(before);
    println!(
        "{kind}: {count} visitors, {connected} connected, {} bytes each",
        more / count
    );
    is_served().await;
    assert!(more < count * bytes_each, "{kind}: {} bytes each", more / count);
    if kind != "flood" {
        assert!(
            connected > count / 10,
            "{kind}: only {connected} are still connected"
        );
    }
    drop(visitors);
}

#[tokio::test]
async fn ten_thousand_idle_visitors_hold_little() {
    hold("idle", 10_000, 6 * 1024).await;
}

#[tokio::test]
async fn five_thousand_visitors_who_greet_nobody_hold_little() {
    hold("silent", 5000, 24 * 1024).await;
}

#[tokio::test]
async fn ten_thousand_half_heads_hold_what_was_sent_and_little_more() {
    hold("slow", 10_000, 8 * 1024).await;
}

#[tokio::test]
async fn heads_without_end_are_refused_and_forgotten() {
    hold("flood", 1000, 80 * 1024).await;
}

#[tokio::test]
async fn visitors_who_take_nothing_hold_a_bounded_piece_of_an_answer() {
    hold("greedy", 500, 256 * 1024).await;
}
