//! The node against a real API: here with a runtime that only pretends, in `real` with real processes.

mod pretend;
mod real;

use std::{fmt::Debug, time::Duration};

use k8s_openapi::api::{
    core::v1::{ConfigMap, ContainerStatus, Node, Secret, Service},
    discovery::v1::EndpointSlice,
};
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use toolforge_apiserver::ApiServer;
use toolforge_pki::Authority;

use super::*;
use crate::protection::detect_protection;
use pretend::Pretend;

/// How long a condition may take on a loaded machine.
const DEADLINE: Duration = Duration::from_mins(1);
const NODE: &str = "one";

/// An API, and a node of it.
struct Cluster {
    folder: tempfile::TempDir,
    authority: Authority,
    server: Arc<ApiServer>,
    /// Each platform of a machine has networks of its own; so has each test.
    number: u8,
    shutdown: CancellationToken,
}

/// A running node.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), NodeError>>,
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        timeout(DEADLINE, self.task)
            .await
            .expect("the node stops")
            .expect("task")
            .expect("no error");
    }
}

impl Cluster {
    async fn start(test: u32) -> Self {
        // Another run of these tests on this machine must not listen on the same addresses.
        let number = 64 + u8::try_from((std::process::id() * 7 + test) % 32).expect("below 32");
        toolforge_pki::install_provider();
        let folder = tempfile::tempdir().expect("folder");
        let authority = Authority::create("test").expect("authority");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
        let address = listener.local_addr().expect("address");
        let config = toolforge_apiserver::Config {
            store_dir: folder.path().join("store"),
            keys_dir: folder.path().join("keys"),
            advertise: format!("https://{address}"),
            server: authority.issue_server(&["127.0.0.1"]).expect("identity"),
            client_ca_pem: authority.certificate_pem().to_owned(),
            node_client: authority
                .issue_client("kube-apiserver-kubelet-client", &[])
                .expect("identity"),
            service_network: u32::from(Ipv4Addr::new(127, number + 32, 0, 0)),
        };
        let server = Arc::new(ApiServer::open(config).await.expect("API"));
        let shutdown = CancellationToken::new();
        let (api, stop) = (server.clone(), shutdown.clone());
        tokio::spawn(async move { api.run(listener, stop).await });
        Self {
            folder,
            authority,
            server,
            number,
            shutdown,
        }
    }

    fn admin(&self) -> Client {
        self.server.client("admin", &["system:masters"])
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.admin(), "default")
    }

    async fn config(&self) -> Config {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
        let state_dir = self.folder.path().join("node");
        std::fs::create_dir_all(&state_dir).expect("folder");
        Config {
            name: NODE.to_owned(),
            advertise_port: listener.local_addr().expect("address").port(),
            listener,
            identity: self.authority.issue_server(&["127.0.0.1"]).expect("identity"),
            client_ca_pem: self.authority.certificate_pem().to_owned(),
            state_dir,
            bin_dir: self.folder.path().join("bin"),
            api_host_port: ("127.0.0.1".to_owned(), 6443),
            pod_network: Ipv4Addr::new(127, self.number, 0, 0),
            service_network: Ipv4Addr::new(127, self.number + 32, 0, 0),
            session_silence: crate::SESSION_SILENCE,
            protect: detect_protection(),
        }
    }

    fn node_client(&self) -> Client {
        self.server.client("system:node:one", &["system:nodes"])
    }

    async fn pretend(&self) -> (Arc<Pretend>, Running) {
        let (runtime, shutdown) = (Arc::new(Pretend::default()), CancellationToken::new());
        let node = run_on(
            runtime.clone(),
            VolumeFolders::new(self.folder.path(), None),
            self.node_client(),
            self.config().await,
            shutdown.clone(),
        );
        (
            runtime,
            Running {
                shutdown,
                task: tokio::spawn(node),
            },
        )
    }

    /// A node that runs real processes.
    async fn real(&self) -> Running {
        let shutdown = CancellationToken::new();
        let node = run(self.node_client(), self.config().await, shutdown.clone());
        Running {
            shutdown,
            task: tokio::spawn(node),
        }
    }

    async fn create(&self, spec: Value) -> Pod {
        let mut spec = spec;
        spec["nodeName"] = json!(NODE);
        // No controller makes the authority's ConfigMap here, which the token's volume waits for.
        spec["automountServiceAccountToken"] = json!(false);
        let pod = json!({"metadata": {"name": "p"}, "spec": spec});
        let pod = serde_json::from_value(pod).expect("pod");
        self.pods()
            .create(&PostParams::default(), &pod)
            .await
            .expect("created")
    }

    /// Waits until the Pod is as wanted; none when it is gone.
    async fn until(&self, what: &str, wanted: impl Fn(Option<&Pod>) -> bool + Send) -> Option<Pod> {
        until(self.pods(), "p", what, wanted).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn until<K>(
    api: Api<K>,
    name: &str,
    what: &str,
    wanted: impl Fn(Option<&K>) -> bool + Send,
) -> Option<K>
where
    K: kube::Resource + Clone + Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut changes = std::pin::pin!(watcher::watch_object(api, name));
    let mut last = None;
    let wait = async {
        while let Some(seen) = changes.next().await {
            let Ok(seen) = seen else { continue };
            last = seen;
            if wanted(last.as_ref()) {
                return;
            }
        }
    };
    let came = timeout(DEADLINE, wait).await;
    assert!(came.is_ok(), "{what} did not come true; last seen: {last:#?}");
    last
}

fn first(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

fn is_ready(pod: Option<&Pod>) -> bool {
    pod.and_then(first).is_some_and(|container| container.ready)
}

fn ip(pod: Option<&Pod>) -> Option<String> {
    pod?.status.as_ref()?.pod_ip.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_registers_itself() {
    let cluster = Cluster::start(0).await;
    let (_, node) = cluster.pretend().await;
    let ready = |node: Option<&Node>| {
        let conditions = node
            .and_then(|node| node.status.as_ref()?.conditions.clone())
            .unwrap_or_default();
        conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    let object = until(Api::all(cluster.admin()), NODE, "a ready node", ready)
        .await
        .expect("node");
    assert_eq!(
        object.metadata.labels.expect("labels")["kubernetes.io/hostname"],
        NODE
    );
    let info = object.status.and_then(|status| status.node_info).expect("info");
    assert_eq!(info.container_runtime_version, "pretend://1");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_runs_is_restarted_and_ends_with_its_object() {
    let cluster = Cluster::start(1).await;
    let (runtime, node) = cluster.pretend().await;
    cluster
        .create(json!({"containers": [{"name": "c", "image": "i"}]}))
        .await;
    let pod = cluster.until("a ready Pod", is_ready).await;
    assert!(
        ip(pod.as_ref())
            .expect("address")
            .starts_with(&format!("127.{}.", cluster.number))
    );
    runtime.end("c", 3);
    let again =
        |pod: Option<&Pod>| is_ready(pod) && pod.and_then(first).is_some_and(|one| one.restart_count == 1);
    let pod = cluster.until("a restarted Pod", again).await.expect("pod");
    let last = first(&pod)
        .and_then(|one| one.last_state.clone()?.terminated)
        .expect("last end");
    assert_eq!((last.exit_code, last.reason.as_deref()), (3, Some("Error")));
    cluster
        .pods()
        .delete("p", &DeleteParams::default())
        .await
        .expect("deleted");
    cluster.until("no Pod", |pod| pod.is_none()).await;
    assert!(runtime.containers.lock().is_empty(), "nothing runs any more");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pod_refers_to_is_read_when_it_is_there() {
    let cluster = Cluster::start(2).await;
    let (runtime, node) = cluster.pretend().await;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin(), "default");
    let map = json!({"metadata": {"name": "settings"}, "data": {"K": "v"}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).expect("map"))
        .await
        .expect("created");
    let from = |name: &str| json!([{"configMapRef": {"name": name}}]);
    cluster
        .create(json!({"containers": [
            {"name": "well", "image": "i", "envFrom": from("settings")},
            {"name": "ill", "image": "i", "envFrom": from("missing")}]}))
        .await;
    let both = |pod: Option<&Pod>| {
        let statuses = pod
            .and_then(|pod| pod.status.as_ref()?.container_statuses.clone())
            .unwrap_or_default();
        let runs = statuses.iter().any(|one| one.name == "well" && one.ready);
        let waits = statuses.iter().any(|one| {
            let waiting = one.state.clone().and_then(|state| state.waiting);
            waiting.is_some_and(|waiting| {
                waiting.reason.as_deref() == Some("CreateContainerConfigError")
                    && waiting.message.as_deref() == Some("configmap \"missing\" not found")
            })
        });
        runs && waits
    };
    cluster.until("one container runs and one waits", both).await;
    assert_eq!(runtime.environment("well"), [("K".to_owned(), "v".to_owned())]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_lives_on_over_a_restart_of_the_node_with_its_address() {
    let cluster = Cluster::start(3).await;
    let (_, node) = cluster.pretend().await;
    cluster
        .create(json!({"containers": [{"name": "c", "image": "i"}]}))
        .await;
    let before = cluster.until("a ready Pod", is_ready).await;
    node.stop().await;
    let pod = cluster.pods().get("p").await.expect("the object stays");
    assert!(pod.metadata.deletion_timestamp.is_none());
    let (_, node) = cluster.pretend().await;
    let again =
        |pod: Option<&Pod>| is_ready(pod) && pod.and_then(first).is_some_and(|one| one.restart_count == 1);
    let after = cluster.until("a Pod that runs again", again).await;
    assert_eq!(ip(before.as_ref()), ip(after.as_ref()));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_whose_object_vanishes_is_stopped() {
    let cluster = Cluster::start(5).await;
    let (runtime, node) = cluster.pretend().await;
    cluster
        .create(json!({"containers": [{"name": "c", "image": "i"}]}))
        .await;
    cluster.until("a ready Pod", is_ready).await;
    let mut exit = runtime
        .containers
        .lock()
        .values()
        .next()
        .expect("container")
        .exit
        .subscribe();
    cluster
        .pods()
        .delete("p", &DeleteParams::default().grace_period(0))
        .await
        .expect("deleted");
    let ended = timeout(DEADLINE, exit.wait_for(Option::is_some))
        .await
        .expect("in time");
    assert_eq!(ended.expect("exit").clone().map(|exit| exit.code), Some(143));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_leads_to_its_endpoints() {
    let cluster = Cluster::start(6).await;
    let (_, node) = cluster.pretend().await;
    let endpoint = TcpListener::bind("127.0.0.1:0").await.expect("listener");
    let port = endpoint.local_addr().expect("address").port();
    let slice = json!({"metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4", "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}]});
    let slices: Api<EndpointSlice> = Api::namespaced(cluster.admin(), "default");
    slices
        .create(
            &PostParams::default(),
            &serde_json::from_value(slice).expect("slice"),
        )
        .await
        .expect("created");
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"name": "http", "port": 8000}]}});
    let services: Api<Service> = Api::namespaced(cluster.admin(), "default");
    let service = serde_json::from_value(service).expect("service");
    let service = services
        .create(&PostParams::default(), &service)
        .await
        .expect("created");
    let address = service.spec.and_then(|spec| spec.cluster_ip).expect("cluster IP");
    let relayed = async {
        // Nothing tells when the node listens: connecting is the only way to find out.
        while tokio::net::TcpStream::connect((address.as_str(), 8000))
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
        endpoint.accept().await.expect("a relayed connection")
    };
    timeout(DEADLINE, relayed).await.expect("in time");
    node.stop().await;
}
