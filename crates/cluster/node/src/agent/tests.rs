//! The node against a real API: with a runtime that only pretends, and once with real processes.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::{
    core::v1::{ConfigMap, ContainerStatus, Event as Told, Node, Secret, Service},
    discovery::v1::EndpointSlice,
};
use kube::api::{DeleteParams, LogParams, PostParams};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use toolforge_apiserver::ApiServer;
use toolforge_pki::Authority;
use toolforge_streams::Wanted;

use super::*;
use crate::{
    protection::detect_protection,
    runtime::{
        ContainerId, ContainerPlace, CreateError, CreateRequest, Exit, ProbeOutcome, StartError, Stop, Usage,
    },
    session::Session,
};

/// How long a condition may take on a loaded machine.
const DEADLINE: Duration = Duration::from_mins(1);
const NODE: &str = "one";

/// Containers that exist only here, and end when they are told.
#[derive(Debug, Default)]
struct Pretend {
    counter: AtomicU64,
    containers: Mutex<BTreeMap<ContainerId, Pretended>>,
}

#[derive(Debug)]
struct Pretended {
    place: ContainerPlace,
    environment: Vec<(String, String)>,
    exit: watch::Sender<Option<Exit>>,
}

impl Pretend {
    fn end(&self, container: &str, code: i32) {
        let containers = self.containers.lock();
        containers
            .values()
            .filter(|one| one.place.container == container)
            .for_each(|one| one.end(code));
    }

    fn environment(&self, container: &str) -> Vec<(String, String)> {
        let containers = self.containers.lock();
        let found = containers.values().find(|one| one.place.container == container);
        found.map(|one| one.environment.clone()).unwrap_or_default()
    }
}

impl Pretended {
    fn end(&self, code: i32) {
        let exit = Exit {
            code,
            signal: None,
            out_of_memory: false,
            at: Timestamp::now(),
        };
        self.exit
            .send_if_modified(|known| known.is_none().then(|| *known = Some(exit)).is_some());
    }
}

impl Runtime for Pretend {
    fn version(&self) -> String {
        "pretend://1".to_owned()
    }

    async fn create(&self, request: CreateRequest) -> Result<ContainerId, CreateError> {
        request.output.write(false, b"hello\n");
        let id = ContainerId::new(format!("{}", self.counter.fetch_add(1, Ordering::Relaxed)));
        let one = Pretended {
            place: request.place,
            environment: request.environment,
            exit: watch::channel(None).0,
        };
        self.containers.lock().insert(id.clone(), one);
        Ok(id)
    }

    async fn start(&self, _: &ContainerId) -> Result<(), StartError> {
        Ok(())
    }

    async fn wait(&self, id: &ContainerId) -> Exit {
        let mut exit = self
            .containers
            .lock()
            .get(id)
            .expect("container")
            .exit
            .subscribe();
        let exit = exit
            .wait_for(Option::is_some)
            .await
            .expect("sender")
            .clone()
            .expect("exit");
        self.containers.lock().remove(id);
        exit
    }

    fn stop(&self, id: &ContainerId, how: Stop) {
        if let Some(one) = self.containers.lock().get(id) {
            one.end(if how == Stop::Ask { 143 } else { 137 });
        }
    }

    async fn exec(&self, _: &ContainerId, _: &[String], _: Duration) -> ProbeOutcome {
        ProbeOutcome {
            success: true,
            output: String::new(),
        }
    }

    fn usage(&self, _: &ContainerId) -> Option<Usage> {
        None
    }

    fn find(&self, _: &str, _: &str, _: &str) -> Option<ContainerId> {
        None
    }

    fn address(&self, _: &str, _: &str) -> Option<Ipv4Addr> {
        None
    }

    async fn run(&self, id: &ContainerId, _: &[String], _: Wanted) -> Result<Session, StartError> {
        Err(StartError(format!("{id} only pretends")))
    }

    async fn attach(&self, id: &ContainerId, _: Wanted) -> Result<Session, StartError> {
        Err(StartError(format!("{id} only pretends")))
    }
}

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

/// Reads a Pod's log from its start, until it ends with these words.
async fn log_until(cluster: &Cluster, wanted: &str) {
    let has_address = |node: Option<&Node>| {
        let status = node.and_then(|node| node.status.as_ref());
        status.is_some_and(|status| status.addresses.is_some() && status.daemon_endpoints.is_some())
    };
    // The API finds the log by the Node's address, which may come after the Pod has started.
    until(
        Api::all(cluster.admin()),
        NODE,
        "a Node with an address",
        has_address,
    )
    .await;
    let params = LogParams {
        follow: true,
        ..LogParams::default()
    };
    let mut log = cluster.pods().log_stream("p", &params).await.expect("log");
    let mut text = String::new();
    let read = async {
        let mut chunk = [0; 1024];
        while !text.ends_with(wanted) {
            let count = futures::AsyncReadExt::read(&mut log, &mut chunk)
                .await
                .expect("read");
            text.push_str(&String::from_utf8_lossy(&chunk[..count]));
            assert!(count > 0, "the log ended: {text}");
        }
    };
    let came = timeout(DEADLINE, read).await;
    assert!(came.is_ok(), "{wanted:?} did not come, but {text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_are_filled_follow_their_objects_and_go_with_their_pod() {
    if !detect_protection().own_uid {
        println!("skipped: mounting needs root");
        return;
    }
    let cluster = Cluster::start(7).await;
    let node = cluster.real().await;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin(), "default");
    let map = |value: &str| json!({"metadata": {"name": "m"}, "data": {"key": value}});
    let create = serde_json::from_value(map("one")).expect("map");
    maps.create(&PostParams::default(), &create)
        .await
        .expect("created");
    let script = "cat /no-such/conf/key /no-such/sec/word; id -u > /no-such/scratch/user; stat -c ' %a %u' -L /no-such/sec/word;
        while [ $(cat /no-such/conf/key) = one ]; do sleep 0.02; done; cat /no-such/conf/key; echo; exec sleep 1000";
    let mount = |name: &str| json!({"name": name, "mountPath": format!("/no-such/{name}")});
    cluster
        .create(
            json!({"terminationGracePeriodSeconds": 5, "automountServiceAccountToken": false,
            "containers": [{"name": "c", "image": "i", "command": ["sh", "-c", script],
                "volumeMounts": [mount("conf"), mount("sec"), mount("scratch")]}],
            "volumes": [{"name": "conf", "configMap": {"name": "m"}},
                {"name": "sec", "secret": {"secretName": "s", "defaultMode": 0o444}},
                {"name": "scratch", "emptyDir": {}}]}),
        )
        .await;
    let events: Api<Told> = Api::namespaced(cluster.admin(), "default");
    let mut told = std::pin::pin!(
        watcher(events, watcher::Config::default().fields("reason=FailedMount")).default_backoff()
    );
    let told = async {
        while let Some(event) = told.next().await {
            if let Ok(Event::Apply(event) | Event::InitApply(event)) = event {
                return event.message.unwrap_or_default();
            }
        }
        String::new()
    };
    let told = timeout(DEADLINE, told).await.expect("an event");
    assert_eq!(
        told,
        "MountVolume.SetUp failed for volume \"sec\" : secret \"s\" not found"
    );
    // The Pod does not wait for a next try, but for the Secret.
    let secrets: Api<Secret> = Api::namespaced(cluster.admin(), "default");
    let secret = serde_json::from_value(json!({"metadata": {"name": "s"}, "data": {"word": "d29yZA=="}}));
    secrets
        .create(&PostParams::default(), &secret.expect("secret"))
        .await
        .expect("created");
    log_until(&cluster, "oneword 444 0\n").await;
    let replaced = serde_json::from_value(map("two")).expect("map");
    maps.replace("m", &PostParams::default(), &replaced)
        .await
        .expect("replaced");
    log_until(&cluster, "two\n").await;
    let disk = cluster.folder.path().join("node/volumes/disk");
    assert_eq!(std::fs::read_dir(&disk).expect("volumes").count(), 1);
    cluster
        .pods()
        .delete("p", &DeleteParams::default())
        .await
        .expect("deleted");
    cluster.until("no Pod", |pod| pod.is_none()).await;
    assert_eq!(
        std::fs::read_dir(&disk).expect("volumes").count(),
        0,
        "nothing is left"
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_fails_leaves_the_end_of_its_log() {
    let cluster = Cluster::start(8).await;
    let node = cluster.real().await;
    let command = json!(["sh", "-c", "echo the reason; exit 3"]);
    cluster
        .create(
            json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i", "command": command,
            "terminationMessagePolicy": "FallbackToLogsOnError"}]}),
        )
        .await;
    let end = |pod: Option<&Pod>| pod.and_then(first).and_then(|one| one.state.clone()?.terminated);
    let pod = cluster.until("an end", |pod| end(pod).is_some()).await;
    let end = end(pod.as_ref()).expect("an end");
    assert_eq!((end.exit_code, end.message.as_deref()), (3, Some("the reason\n")));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_container_looks_into_a_running_pod() {
    let cluster = Cluster::start(9).await;
    let node = cluster.real().await;
    let command = json!(["sh", "-c", "exec sleep 1000"]);
    cluster
        .create(json!({"terminationGracePeriodSeconds": 5, "containers": [{"name": "c", "image": "i", "command": command}]}))
        .await;
    cluster.until("a ready Pod", is_ready).await;
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "look", "image": "i", "command": ["sh", "-c", "exit 7"],
        "targetContainerName": "c"}]}});
    let patch = kube::api::Patch::Strategic(debug);
    let door = "ephemeralcontainers";
    let patched: Pod = cluster
        .pods()
        .patch_subresource(door, "p", &kube::api::PatchParams::default(), &patch)
        .await
        .expect("patched");
    assert!(patched.spec.expect("spec").ephemeral_containers.is_some());
    let code = |pod: Option<&Pod>| {
        let status = pod?
            .status
            .as_ref()?
            .ephemeral_container_statuses
            .as_ref()?
            .first()?;
        Some(status.state.as_ref()?.terminated.as_ref()?.exit_code)
    };
    let pod = cluster.until("its end", |pod| code(pod).is_some()).await;
    assert_eq!(code(pod.as_ref()), Some(7));
    assert!(is_ready(pod.as_ref()), "the Pod goes on");
    let gone = json!({"spec": {"ephemeralContainers": [{"$patch": "replace"}]}});
    let patch = kube::api::Patch::Strategic(gone);
    let refused = cluster
        .pods()
        .patch_subresource(door, "p", &kube::api::PatchParams::default(), &patch)
        .await;
    let refused = refused.expect_err("it may not be removed").to_string();
    assert!(refused.contains("may not be removed"), "{refused}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_process_runs_writes_its_log_and_ends_with_its_pod() {
    let cluster = Cluster::start(4).await;
    let node = cluster.real().await;
    let command = json!(["sh", "-c", "echo hello from $NAME; exec sleep 1000"]);
    cluster
        .create(
            json!({"terminationGracePeriodSeconds": 5, "containers": [{"name": "c", "image": "i",
            "command": command, "env": [{"name": "NAME", "value": "the process"}]}]}),
        )
        .await;
    cluster.until("a ready Pod", is_ready).await;
    log_until(&cluster, "hello from the process\n").await;
    let params = LogParams {
        container: Some("c".to_owned()),
        follow: true,
        ..LogParams::default()
    };
    let pods = cluster.pods();
    let mut log = pods.log_stream("p", &params).await.expect("log");
    let mut text = Vec::new();
    pods.delete("p", &DeleteParams::default()).await.expect("deleted");
    cluster.until("no Pod", |pod| pod.is_none()).await;
    let rest = futures::AsyncReadExt::read_to_end(&mut log, &mut text);
    timeout(DEADLINE, rest)
        .await
        .expect("the log ends")
        .expect("read");
    node.stop().await;
}
