//! `toolforge gateway` is replaced by itself again and again under load, and no visitor notices.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{from_value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use toolforge_pki::Authority;
use toolforge_routing::{Change, EndpointSlice, Ingress, Object, Service, Snapshot};
use toolforge_testkit::eventually;

#[path = "load/visitors.rs"]
mod load;

use load::{Door, Load, REQUESTS, echo, tool};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const HOST: &str = "alpha.toolforge.test";
const REPLACEMENTS: usize = 20;

/// A gateway, maybe one that another one started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process(Pid);

impl Process {
    fn is_over(self) -> Result<(), String> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.as_raw_nonzero()));
        // Whoever is to be told of its end may not ask.
        match stat {
            Ok(stat) if !stat.contains(") Z ") => Err("it runs".to_owned()),
            _ => Ok(()),
        }
    }

    fn signal(self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }
}

/// All that a gateway is started with, and a tool.
struct Scene {
    folder: TempDir,
    authority: Authority,
    https: SocketAddr,
    status: SocketAddr,
    /// Where gateways say that they are ready.
    notices: UnixDatagram,
    /// Those that are ended with the test.
    processes: Mutex<Vec<Process>>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let running = self.processes.get_mut().unwrap().drain(..);
        for process in running.filter(|process| process.is_over().is_err()) {
            // It may end meanwhile.
            let _ = kill_process(process.0, Signal::KILL);
        }
    }
}

impl Scene {
    fn new(tool: SocketAddr) -> Self {
        toolforge_pki::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create("test authority").unwrap();
        let identity = authority.issue_server(&["*.toolforge.test"]).unwrap();
        fs::write(folder.path().join("tls.crt"), &identity.certificate_pem).unwrap();
        fs::write(folder.path().join("tls.key"), &identity.key_pem).unwrap();
        let client = authority.issue_client("gateway", &[]).unwrap();
        let api = "https://127.0.0.1:1";
        let kubeconfig =
            toolforge_serve::kubeconfig(api, authority.certificate_pem(), &client, "gateway", "default");
        fs::write(folder.path().join("kubeconfig"), kubeconfig).unwrap();
        let notices = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        notices.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let scene = Self {
            folder,
            notices,
            processes: Mutex::default(),
            authority,
            https: free(),
            status: free(),
        };
        scene.write_table(tool);
        scene
    }

    fn table(&self) -> PathBuf {
        self.folder.path().join("table.json")
    }

    fn start(&self) -> Process {
        self.start_by(Command::new(PROGRAM))
    }

    /// Starts a gateway by a command that takes its arguments.
    fn start_by(&self, mut command: Command) -> Process {
        command
            .args(["gateway", "--domain", "toolforge.test", "--workers", "2"])
            .args(["--drain-seconds", "600", "--https", &self.https.to_string()])
            .args(["--status", &self.status.to_string(), "--table"])
            .arg(self.table())
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .env("RUST_LOG", "warn,kube_client=off")
            .stdout(Stdio::null());
        for (flag, file) in [
            ("--kubeconfig", "kubeconfig"),
            ("--tls-cert", "tls.crt"),
            ("--tls-key", "tls.key"),
        ] {
            command.arg(flag).arg(self.folder.path().join(file));
        }
        let mut child = command.spawn().unwrap();
        let process = Process(Pid::from_child(&child));
        std::thread::spawn(move || child.wait());
        self.processes.lock().unwrap().push(process);
        process
    }

    /// The process that says that it is ready.
    fn ready(&self) -> Process {
        loop {
            let mut bytes = [0; 256];
            let count = self.notices.recv(&mut bytes).expect("a gateway becomes ready");
            let said = std::str::from_utf8(&bytes[..count]).unwrap();
            if let Some(process) = said.strip_prefix("READY=1\nMAINPID=") {
                let process = Process(Pid::from_raw(process.parse().unwrap()).unwrap());
                self.processes.lock().unwrap().push(process);
                return process;
            }
        }
    }

    /// A table with the settings that it must have: those of the table that a gateway without an API leaves behind.
    fn write_table(&self, tool: SocketAddr) {
        let empty = self.start();
        eventually("a gateway that listens", || {
            std::net::TcpStream::connect(self.status).map_err(|error| error.to_string())
        });
        empty.signal(Signal::TERM);
        eventually("its end", || empty.is_over());
        let text = fs::read(self.table()).unwrap();
        let table = serde_json::from_slice::<Snapshot>(&text).unwrap();
        let table = table
            .into_kept_table()
            .unwrap()
            .with(objects(tool).map(Change::Put));
        fs::write(self.table(), serde_json::to_vec(&Snapshot::of(&table)).unwrap()).unwrap();
    }

    fn door(&self) -> Arc<Door> {
        Arc::new(Door {
            authority: self.authority.certificate_pem().to_owned(),
            host: HOST,
            address: self.https,
        })
    }
}

fn free() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, toolforge_testkit::free_port()).into()
}

/// What routes the host to the tool.
fn objects(tool: SocketAddr) -> [Object; 3] {
    let service = json!({"name": "alpha", "port": {"number": 8000}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": {"service": service}}]);
    let metadata = json!({
        "name": "alpha", "namespace": "tool-alpha", "labels": {"kubernetes.io/service-name": "alpha"},
    });
    let ingress = json!({
        "metadata": metadata,
        "spec": {"ingressClassName": "toolforge", "rules": [{"host": HOST, "http": {"paths": paths}}]},
    });
    let service = json!({"metadata": metadata, "spec": {"ports": [{"name": "http", "port": 8000}]}});
    let slice = json!({
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": [{"addresses": [tool.ip()], "conditions": {"ready": true}}],
        "ports": [{"name": "http", "port": tool.port()}],
    });
    [
        Object::Ingress(Ingress::read(&from_value(ingress).unwrap(), None).unwrap()),
        Object::Service(Service::read(&from_value(service).unwrap()).unwrap()),
        Object::Slice(EndpointSlice::read(&from_value(slice).unwrap()).unwrap()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn twenty_replacements_under_load_cost_no_request_and_no_open_connection() {
    let scene = Arc::new(Scene::new(tool("alpha").await));
    scene.start();
    let first = scene.ready();
    let mut chat = echo(&scene.door()).await;
    let load = Load::begin(&scene.door()).await;
    let mut serving = vec![first];
    for number in 0..REPLACEMENTS {
        load.goes_on();
        let last = *serving.last().unwrap();
        if number % 2 == 0 {
            // As operators do by hand.
            scene.start();
        } else {
            // As systemd does.
            last.signal(Signal::USR2);
        }
        let next = scene.ready();
        assert_ne!(next, last);
        serving.push(next);
    }
    load.goes_on();
    // One with each gateway.
    load.has_made_at_most(2 * (REPLACEMENTS + 1));
    let answered = load.end().await;
    assert!(answered > REPLACEMENTS * REQUESTS, "{answered}");

    // Its gateway is long replaced, and lives for it alone.
    chat.write_all(b"still here").await.unwrap();
    let mut heard = [0; 10];
    chat.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
    assert!(serving[0].is_over().is_err());
    drop(chat);
    let last = serving.pop().unwrap();
    for replaced in serving {
        eventually("the end of a gateway that was replaced", || replaced.is_over());
    }
    last.signal(Signal::TERM);
    eventually("the end of the last", || last.is_over());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_gateway_that_cannot_start_takes_nothing() {
    let scene = Arc::new(Scene::new(tool("alpha").await));
    scene.start();
    let serving = scene.ready();
    let load = Load::begin(&scene.door()).await;
    let key = scene.folder.path().join("tls.key");
    let text = fs::read(&key).unwrap();
    fs::write(&key, "nonsense").unwrap();
    let broken = scene.start();
    eventually("the end of the broken one", || broken.is_over());
    load.goes_on();
    assert!(serving.is_over().is_err());
    fs::write(&key, text).unwrap();
    scene.start();
    assert_ne!(scene.ready(), serving);
    eventually("the end of the one before", || serving.is_over());
    load.goes_on();
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn sockets_of_whoever_started_it_are_served() {
    let mut scene = Scene::new(tool("alpha").await);
    // Nobody else can listen there while this socket is open.
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    scene.https = socket.local_addr().unwrap();
    let mut command = Command::new("sh");
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    command.args(["-c", script, "sh", PROGRAM]);
    command.stdin(OwnedFd::from(socket.try_clone().unwrap()));
    let serving = scene.start_by(command);
    assert_eq!(scene.ready(), serving);
    let asked = scene
        .door()
        .client(b"http/1.1")
        .post(scene.door().url())
        .body("hello");
    assert_eq!(asked.send().await.unwrap().text().await.unwrap(), "5");
}
