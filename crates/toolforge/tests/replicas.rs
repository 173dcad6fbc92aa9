//! Two `toolforge admission` processes behind one address, one of them killed while the API writes: nobody sees it, and
//! nothing is written unchecked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use toolforge_admission::{ClientConfigBase, Reach, webhook_configurations};
use toolforge_policy::PolicySettings;
use toolforge_testkit::eventually;

#[path = "load/api.rs"]
mod api;

use api::Cluster;

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const WRITERS: usize = 20;
const WRITES: usize = 1000;
/// After so many writes one replica is killed.
const BEFORE: usize = 300;

/// The certificate of the replicas.
fn certify(cluster: &Cluster) {
    let served = cluster.authority.issue_server(&["127.0.0.1"]).unwrap();
    let folder = cluster.folder.path();
    std::fs::write(folder.join("tls.crt"), &served.certificate_pem).unwrap();
    std::fs::write(folder.join("tls.key"), &served.key_pem).unwrap();
}

/// The configurations of webhooks that are at this address.
async fn register(cluster: &Cluster, address: SocketAddr) {
    let base = ClientConfigBase::Url(format!("https://{address}"));
    let parameters = PostParams::default();
    let policies = PolicySettings::with("toolforge.org", "r.example")
        .resolve()
        .unwrap();
    let reach = Reach::of(&policies);
    for object in webhook_configurations(&base, Some(cluster.authority.certificate_pem()), &reach) {
        if object["kind"] == "MutatingWebhookConfiguration" {
            let api: Api<MutatingWebhookConfiguration> = Api::all(cluster.admin.clone());
            api.create(&parameters, &serde_json::from_value(object).unwrap())
                .await
                .unwrap();
        } else {
            let api: Api<ValidatingWebhookConfiguration> = Api::all(cluster.admin.clone());
            api.create(&parameters, &serde_json::from_value(object).unwrap())
                .await
                .unwrap();
        }
    }
}

/// A `toolforge admission` that runs; killed when dropped.
struct Replica {
    process: Child,
    address: SocketAddr,
}

impl Replica {
    fn start(folder: &Path) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], toolforge_testkit::free_port()));
        let process = Command::new(PROGRAM)
            .arg("admission")
            .args(["--listen", &address.to_string()])
            .args(["--domain", "toolforge.org", "--registry", "r.example"])
            .args([
                "--tls-cert",
                "tls.crt",
                "--tls-key",
                "tls.key",
                "--kubeconfig",
                "kubeconfig",
            ])
            .current_dir(folder)
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let replica = Self { process, address };
        eventually("the replica listens", || {
            std::net::TcpStream::connect(address).map_err(|e| e.to_string())
        });
        replica
    }

    /// SIGKILL: no request is brought to its end.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One address in front of several servers, which take turns; one that does not answer is left out, as a Service does.
struct Balancer {
    address: SocketAddr,
    /// Connections that each server has taken.
    taken: Arc<Vec<AtomicUsize>>,
}

impl Balancer {
    async fn start(servers: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken: Arc<Vec<AtomicUsize>> = Arc::new(servers.iter().map(|_| AtomicUsize::new(0)).collect());
        let counts = Arc::clone(&taken);
        tokio::spawn(async move {
            let mut turn = 0;
            while let Ok((incoming, _)) = listener.accept().await {
                turn += 1;
                tokio::spawn(forward(incoming, servers.clone(), turn, Arc::clone(&counts)));
            }
        });
        Self { address, taken }
    }

    fn taken(&self) -> Vec<usize> {
        self.taken
            .iter()
            .map(|count| count.load(Ordering::SeqCst))
            .collect()
    }
}

async fn forward(
    mut incoming: TcpStream,
    servers: Vec<SocketAddr>,
    turn: usize,
    taken: Arc<Vec<AtomicUsize>>,
) {
    for nth in (turn..).take(servers.len()).map(|nth| nth % servers.len()) {
        if let Ok(mut server) = TcpStream::connect(servers[nth]).await {
            taken[nth].fetch_add(1, Ordering::SeqCst);
            // Broken by the kill, which is the point.
            let _ = tokio::io::copy_bidirectional(&mut incoming, &mut server).await;
            return;
        }
    }
}

fn service(name: &str, kind: &str) -> Service {
    let service: Value = json!({
        "metadata": {"name": name},
        "spec": {"type": kind, "selector": {"name": "hello"}, "ports": [{"port": 8000}]},
    });
    serde_json::from_value(service).unwrap()
}

/// Writes Services, every other one of a type that a tool may not have.
async fn write(services: Api<Service>, writer: usize, done: Arc<AtomicUsize>) {
    for i in 0..WRITES / WRITERS {
        let bad = i % 2 == 1;
        let object = service(
            &format!("s-{writer}-{i}"),
            if bad { "NodePort" } else { "ClusterIP" },
        );
        let refusal = match services.create(&PostParams::default(), &object).await {
            Ok(_) => String::new(),
            Err(kube::Error::Api(status)) => status.message.clone(),
            Err(error) => error.to_string(),
        };
        let checked = if bad {
            refusal.contains("spec.type is \"NodePort\"")
        } else {
            refusal.is_empty()
        };
        assert!(checked, "s-{writer}-{i}: {refusal:?}");
        done.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_one_is_killed_during_a_thousand_writes_and_nobody_sees_it() {
    let cluster = Cluster::start().await;
    cluster.tool("hello").await;
    certify(&cluster);
    let (mut first, second) = (
        Replica::start(cluster.folder.path()),
        Replica::start(cluster.folder.path()),
    );
    let balancer = Balancer::start(vec![first.address, second.address]).await;
    register(&cluster, balancer.address).await;
    let services: Api<Service> = Api::namespaced(cluster.admin.clone(), "tool-hello");
    let done = Arc::new(AtomicUsize::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(services.clone(), writer, Arc::clone(&done)));
    }
    while done.load(Ordering::SeqCst) < BEFORE {
        tokio::task::yield_now().await;
    }
    let before = balancer.taken();
    tokio::task::block_in_place(|| first.kill());
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    assert_eq!(done.load(Ordering::SeqCst), WRITES);
    assert!(
        before.iter().all(|count| *count > 0),
        "both had been asked: {before:?}"
    );
    let after = balancer.taken();
    assert!(
        after[1] > before[1],
        "the other one took over: {before:?} {after:?}"
    );
}
