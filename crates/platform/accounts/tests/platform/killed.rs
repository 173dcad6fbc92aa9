//! SIGKILL at every write to the API: whenever the service is killed, the next one brings things to the same end.
//!
//! The service is a process of its own, this test program once more. All that it asks of the API goes through a proxy here,
//! which counts its writes, passes the last of them on, and kills the process instead of answering.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    os::unix::{fs::MetadataExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use k8s_openapi::api::{certificates::v1::CertificateSigningRequest, core::v1::Pod};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;
use toolforge_accounts::{Config, LdapAccess, MARKER};

use crate::{
    scratch::{Platform, within},
    servers::{BASE, add_account_in},
};

mod removal;

/// Where the process finds what it is to do.
const TASK: &str = "TOOLFORGE_TEST_SERVICE";

/// What the process prints when every account has had its turn.
const DONE: &str = "every account has had its turn";

/// More writes than anything here needs: a service that never gets done would else be killed for ever.
const MOST_WRITES: i64 = 80;

#[derive(Serialize, Deserialize)]
struct Task {
    api: String,
    server: String,
    ca_pem: String,
    ldap_url: String,
    ldap_ca_pem: String,
    folder: PathBuf,
}

/// The process.
#[test]
#[ignore = "the other tests of this file run it as a process of its own"]
fn service() {
    let task: Task = serde_json::from_str(&std::env::var(TASK).unwrap()).unwrap();
    toolforge_pki::install_provider();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let ldap = LdapAccess::new(vec![task.ldap_url], BASE, "tools")
            .trusting(Some(task.ldap_ca_pem))
            .bound_as(format!("cn=reader,{BASE}"), "reader-secret".to_owned());
        let mut config = Config::new(ldap, task.folder.join("project"), task.folder.join("home"));
        config.server = Some(task.server);
        config.ca_pem = Some(task.ca_pem);
        config.lifecycle.archive = task.folder.join("archive");
        config.lifecycle.removed_grace = Duration::ZERO;
        config.lifecycle.most_removals = 1000;
        config.lifecycle.most_removals_percent = 100;
        config.lifecycle.removal_pause = Duration::from_millis(1);
        config.lifecycle.removals_window = Duration::from_millis(1);
        let (sender, first_pass) = tokio::sync::oneshot::channel();
        config.on_first_pass = Some(sender);
        let client = Client::try_from(kube::Config::new(task.api.parse().unwrap())).unwrap();
        tokio::spawn(async move {
            first_pass.await.unwrap();
            println!("{DONE}");
        });
        toolforge_accounts::run(client, config, CancellationToken::new())
            .await
            .unwrap();
    });
}

/// What a process may still do.
#[derive(Default)]
struct Fuse {
    /// Writes until the kill; below zero is never.
    left: AtomicI64,
    process: AtomicI32,
    burnt: Notify,
}

impl Fuse {
    /// Whether this write was the last.
    fn burns(&self) -> bool {
        self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }

    fn kill(&self) {
        let process = Pid::from_raw(self.process.load(Ordering::SeqCst)).unwrap();
        kill_process(process, Signal::KILL).unwrap();
    }
}

async fn pass_on(client: Client, fuse: Arc<Fuse>, request: Request) -> Response {
    let writes = !matches!(*request.method(), http::Method::GET | http::Method::HEAD);
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let request = http::Request::from_parts(head, kube::client::Body::from(body.to_vec()));
    let answer = client.send(request).await.unwrap();
    if writes && fuse.burns() {
        fuse.kill();
        fuse.burnt.notify_one();
        // Nobody is there to read it.
        std::future::pending::<()>().await;
    }
    answer.map(Body::new)
}

/// A platform, and a proxy before its API.
struct Stage {
    platform: Platform,
    fuse: Arc<Fuse>,
    task: Task,
}

impl Stage {
    async fn new() -> Self {
        let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fuse = Arc::new(Fuse::default());
        let task = Task {
            api: format!("http://{}", listener.local_addr().unwrap()),
            server: platform.url.clone(),
            ca_pem: platform.authority.certificate_pem().to_owned(),
            ldap_url: platform.server.urls().0,
            ldap_ca_pem: platform.server.ca_pem().to_owned(),
            folder: platform.folder.path().to_owned(),
        };
        let (client, shared) = (platform.service_client(), fuse.clone());
        let router = Router::new().fallback(move |request| pass_on(client.clone(), shared.clone(), request));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { platform, fuse, task }
    }

    /// Runs the service until it has been killed at this write (none: never) or all is done; whether it was killed.
    async fn run(&self, write: Option<i64>) -> Running {
        self.fuse.left.store(write.unwrap_or(-1), Ordering::SeqCst);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::service", "--ignored", "--nocapture"])
            .env(TASK, serde_json::to_string(&self.task).unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        self.fuse
            .process
            .store(child.id().try_into().unwrap(), Ordering::SeqCst);
        let output = child.stdout.take().unwrap();
        let running = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            let is_done = lines.any(|line| line.contains(DONE));
            // Somebody goes on reading, or the process would end at its next word.
            std::thread::spawn(move || lines.count());
            Running { child, is_done }
        });
        within(running).await.unwrap()
    }

    /// Does something with a service that is killed at each write in turn, until it needs no more of them.
    async fn at_every_write(
        &self,
        mut prepare: impl AsyncFnMut(i64),
        mut check: impl AsyncFnMut(i64),
    ) -> i64 {
        for write in 1..MOST_WRITES {
            prepare(write).await;
            let running = self.run(Some(write)).await;
            if running.is_done {
                return write - 1;
            }
            running.was_killed();
            let again = self.run(None).await;
            assert!(
                again.is_done,
                "write {write}: the next service ends before it is done"
            );
            check(write).await;
        }
        panic!("the service is never done");
    }

    async fn objects(&self, tool: &str) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        let base = format!("/api/v1/namespaces/tool-{tool}");
        let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/tool-{tool}");
        for path in [
            base.clone(),
            format!("{base}/resourcequotas"),
            format!("{base}/limitranges"),
            format!("{base}/serviceaccounts"),
            format!("{base}/configmaps"),
            format!("{rbac}/roles"),
            format!("{rbac}/rolebindings"),
        ] {
            let request = http::Request::get(&path).body(Vec::new()).unwrap();
            let mut object: Value = self.platform.admin.request(request).await.unwrap();
            forget(&mut object);
            let text = object.to_string().replace(tool, "TOOL");
            found.insert(path.replace(tool, "TOOL"), serde_json::from_str(&text).unwrap());
        }
        found
    }

    /// The tool is as alpha, which nobody has disturbed, and what it has works.
    async fn is_whole(&self, tool: &str, uid: u32, reference: &(BTreeMap<String, Value>, Vec<String>)) {
        assert_eq!(self.objects(tool).await, reference.0, "{tool}");
        let home = self.platform.home(tool);
        assert_eq!(files(&home, tool, uid), reference.1, "{tool}");
        let client = self.platform.client_of(&home).await;
        let pods: Api<Pod> = Api::namespaced(client, &format!("tool-{tool}"));
        pods.list(&ListParams::default()).await.unwrap();
        let requests: Api<CertificateSigningRequest> = Api::all(self.platform.admin.clone());
        let requests = requests.list(&ListParams::default()).await.unwrap();
        assert!(requests.items.is_empty(), "{tool}: a request is left behind");
    }

    async fn reference(&self) -> (BTreeMap<String, Value>, Vec<String>) {
        (
            self.objects("alpha").await,
            files(&self.platform.home("alpha"), "alpha", 50001),
        )
    }

    async fn add(&self, tool: &str, uid: u32) {
        let mut directory = self.platform.directory().await;
        let (homes, number) = (self.platform.homes(), uid.to_string());
        add_account_in(&mut directory, &homes, tool, &number).await;
    }
}

/// A service that has been waited for; dropped, it is killed.
struct Running {
    child: Child,
    is_done: bool,
}

impl Running {
    fn was_killed(mut self) {
        assert_eq!(self.child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Leaves out what differs between any two objects.
fn forget(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for volatile in [
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "managedFields",
                "status",
                "expires",
                "generation",
                "toolforge.org/uid",
                "toolforge.org/maintainers",
                "ca.crt",
            ] {
                map.remove(volatile);
            }
            map.values_mut().for_each(forget);
        }
        Value::Array(list) => list.iter_mut().for_each(forget),
        _ => {}
    }
}

/// All that lies in a home, with modes and targets of links, and the kubeconfig's text.
fn files(home: &Path, tool: &str, uid: u32) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![home.to_owned()];
    while let Some(path) = open.pop() {
        let data = path.symlink_metadata().unwrap();
        if rustix::process::geteuid().is_root() {
            assert_eq!((data.uid(), data.gid()), (uid, uid), "{}", path.display());
        }
        let relative = path.strip_prefix(home).unwrap().display().to_string();
        let what = match std::fs::read_link(&path) {
            Ok(target) => format!("-> {}", target.display()),
            Err(_) if relative == ".kube/config" => std::fs::read_to_string(&path).unwrap(),
            Err(_) => String::new(),
        };
        found.push(nameless(
            &format!("{relative} {:o} {what}", data.mode()).replace(tool, "TOOL"),
        ));
        if data.is_dir() {
            open.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    found.sort();
    found
}

/// The random part of a pair's name is left out.
fn nameless(text: &str) -> String {
    match text.split_once(".pair-") {
        Some((before, after)) => format!("{before}.pair-{}", after.get(16..).unwrap_or("")),
        None => text.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_is_killed_at_any_write_ends_like_any_other() {
    let stage = Stage::new().await;
    assert!(stage.run(None).await.is_done);
    let reference = stage.reference().await;
    let tool = |write: i64| (format!("created-{write}"), 51000 + u32::try_from(write).unwrap());
    let writes = stage
        .at_every_write(
            async |write| {
                let (name, uid) = tool(write);
                stage.add(&name, uid).await;
            },
            async |write| {
                let (name, uid) = tool(write);
                stage.is_whole(&name, uid, &reference).await;
            },
        )
        .await;
    println!("killed at each of {writes} writes");
    assert!(writes > 8, "{writes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_is_killed_at_any_write_ends_like_any_other() {
    let stage = Stage::new().await;
    assert!(stage.run(None).await.is_done);
    let reference = stage.reference().await;
    let markers = stage.platform.markers("alpha");
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let tomorrow = tomorrow.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let writes = stage
        .at_every_write(
            async |_| {
                let patch = Patch::Merge(json!({ "data": { "expires": tomorrow } }));
                markers
                    .patch(MARKER, &PatchParams::default(), &patch)
                    .await
                    .unwrap();
            },
            async |_| {
                let data = markers.get(MARKER).await.unwrap().data.unwrap();
                assert!(data["expires"] > tomorrow, "{data:?}");
                stage.is_whole("alpha", 50001, &reference).await;
            },
        )
        .await;
    println!("killed at each of {writes} writes");
    assert!(writes >= 3, "{writes}");
}
