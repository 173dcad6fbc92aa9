//! The runtime with real processes of this machine. What needs root is skipped without it, and says so.

mod ending;
mod lifecycle;
mod limits;
mod mounts;
mod network;

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{Container, PodSecurityContext};
use parking_lot::Mutex;
use rustix::process::Pid;
use tempfile::TempDir;

use super::{Namespaces, ProcessRuntime, table};
use crate::{
    protection::{Protection, detect_protection},
    runtime::{ContainerId, ContainerPlace, CreateRequest, Exit, OutputSink, Runtime as _, Stop},
};

/// How long anything may take on a loaded machine.
const DEADLINE: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
struct Collected {
    text: Mutex<[String; 2]>,
    closed: Mutex<bool>,
}

impl OutputSink for Collected {
    fn write(&self, error: bool, bytes: &[u8]) {
        self.text.lock()[usize::from(error)].push_str(&String::from_utf8_lossy(bytes));
    }

    fn close(&self) {
        *self.closed.lock() = true;
    }
}

impl Collected {
    fn output(&self) -> String {
        self.text.lock()[0].clone()
    }

    fn error(&self) -> String {
        self.text.lock()[1].clone()
    }
}

/// A container of the default namespace, as the Pod's task would ask for it.
pub(super) fn request(container: &str, command: &[&str]) -> CreateRequest {
    CreateRequest {
        place: ContainerPlace {
            namespace: "default".to_owned(),
            pod: "pod".to_owned(),
            pod_uid: "uid".to_owned(),
            container: container.to_owned(),
            attempt: 0,
        },
        container: Container {
            name: container.to_owned(),
            command: Some(command.iter().map(|&word| word.to_owned()).collect()),
            ..Default::default()
        },
        environment: Vec::new(),
        pod_security: PodSecurityContext::default(),
        mounts: Vec::new(),
        address: Ipv4Addr::new(127, 64, 77, 1),
        hostname: "pod".to_owned(),
        output: Arc::new(Collected::default()),
    }
}

struct Machine {
    runtime: ProcessRuntime,
    protect: Protection,
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let protect = detect_protection();
        Self {
            runtime: runtime_in(folder.path(), &protect),
            protect,
            folder,
        }
    }

    async fn start(&self, mut request: CreateRequest) -> (ContainerId, Arc<Collected>) {
        let output = Arc::new(Collected::default());
        request.output = output.clone();
        let id = self.runtime.create(request).await.expect("created");
        self.runtime.start(&id).await.expect("started");
        (id, output)
    }

    async fn end(&self, id: &ContainerId) -> Exit {
        tokio::time::timeout(DEADLINE, self.runtime.wait(id))
            .await
            .expect("it ends in time")
    }

    async fn run(&self, request: CreateRequest) -> (Exit, Arc<Collected>) {
        let (id, output) = self.start(request).await;
        (self.end(&id).await, output)
    }
}

fn runtime_in(folder: &Path, protect: &Protection) -> ProcessRuntime {
    let api = ("127.0.0.1".to_owned(), 6443);
    let namespaces = protect
        .own_uid
        .then(|| Arc::new(Namespaces::create(&folder.join("volumes")).expect("namespaces")));
    ProcessRuntime::new("/no/such/bin".into(), folder.to_owned(), api, protect, namespaces).expect("runtime")
}

/// Waits until something is there.
async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < limit, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The number that a container printed as its line `name=NUMBER`.
async fn printed(output: &Collected, name: &str) -> Pid {
    until(name, || {
        let text = output.output();
        let (whole, _) = text.rsplit_once('\n')?;
        let number = whole
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Pid::from_raw(number.trim().parse().ok()?)
    })
    .await
}

async fn gone(pid: Pid) {
    until("the process to end", || {
        table::entry(pid).is_none_or(|entry| entry.ended).then_some(())
    })
    .await;
}

fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: {what} needs root");
    }
    root
}
