//! A cluster for one test: API, controllers, and a pretended node. Conditions are waited for by watching, with a deadline.

use std::fmt::Debug;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toolforge_apiserver::{ApiServer, Config};
use toolforge_controllers::Figures;
use toolforge_pki::Authority;

/// How long a condition may take on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// One cluster; everything of it ends with the value.
pub(crate) struct Cluster {
    pub(crate) admin: Client,
    pub(crate) authority: Arc<Authority>,
    server: ApiServer,
    shutdown: CancellationToken,
    controllers: Option<JoinHandle<()>>,
    figures: Figures,
    node: JoinHandle<()>,
    _store: tempfile::TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.node.abort();
    }
}

impl Cluster {
    /// A cluster with one node, `n1`, that has 2 CPUs and 1 GiB.
    pub(crate) async fn start() -> Self {
        toolforge_pki::install_provider();
        let store = tempfile::tempdir().unwrap();
        let authority = Authority::create("test").unwrap();
        let config = Config {
            store_dir: store.path().join("store"),
            keys_dir: store.path().join("keys"),
            advertise: "https://127.0.0.1:6443".to_owned(),
            server: authority.issue_server(&["127.0.0.1"]).unwrap(),
            client_ca_pem: authority.certificate_pem().to_owned(),
            node_client: authority
                .issue_client("kube-apiserver-kubelet-client", &[])
                .unwrap(),
            service_network: u32::from(Ipv4Addr::new(127, 96, 0, 0)),
        };
        let server = ApiServer::open(config).await.unwrap();
        let admin = server.client("admin", &["system:masters"]);
        let node = tokio::spawn(pretend_node(admin.clone()));
        let mut cluster = Self {
            admin,
            authority: Arc::new(authority),
            server,
            shutdown: CancellationToken::new(),
            controllers: None,
            figures: Figures::default(),
            node,
            _store: store,
        };
        cluster.start_controllers();
        cluster.namespace("ns").await;
        cluster
    }

    /// Starts the controllers, with the identity that they have in the platform.
    pub(crate) fn start_controllers(&mut self) {
        let client = self
            .server
            .client("system:kube-controller-manager", &["system:authenticated"]);
        self.figures = Figures::default();
        let (authority, figures) = (Arc::clone(&self.authority), self.figures.clone());
        let run = toolforge_controllers::run_counted(client, authority, figures, self.shutdown.clone());
        self.controllers = Some(tokio::spawn(async move { run.await.unwrap() }));
    }

    /// Stops the controllers and waits for their end.
    pub(crate) async fn stop_controllers(&mut self) {
        self.shutdown.cancel();
        self.controllers.take().unwrap().await.unwrap();
        self.shutdown = CancellationToken::new();
    }

    /// Waits until the controllers tell this line among their figures.
    pub(crate) async fn until_told(&self, line: &str) {
        let deadline = Instant::now() + DEADLINE;
        let registry = self.figures.registry();
        loop {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            if text.lines().any(|told| told == line) {
                return;
            }
            assert!(Instant::now() < deadline, "{line} is not in:\n{text}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The API of a kind in namespace `ns`.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.admin.clone(), "ns")
    }

    /// Makes a namespace.
    pub(crate) async fn namespace(&self, name: &str) {
        let api: Api<Namespace> = Api::all(self.admin.clone());
        api.create(
            &PostParams::default(),
            &object(json!({"metadata": {"name": name}})),
        )
        .await
        .unwrap();
    }
}

/// An object out of JSON.
pub(crate) fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// Creates an object out of JSON.
pub(crate) async fn create<K>(api: &Api<K>, value: Value) -> K
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    api.create(&PostParams::default(), &object(value)).await.unwrap()
}

/// Merges JSON into an object.
pub(crate) async fn merge<K>(api: &Api<K>, name: &str, value: Value) -> K
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    api.patch(name, &PatchParams::default(), &Patch::Merge(value))
        .await
        .unwrap()
}

/// Waits until the objects that `params` selects are as `wanted`, and returns what `wanted` makes of them.
pub(crate) async fn until<K, T>(
    api: &Api<K>,
    params: &ListParams,
    what: &str,
    wanted: impl Fn(&[K]) -> Option<T>,
) -> T
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let mut seen = Vec::new();
    let search = async {
        loop {
            let list = api.list(params).await.unwrap();
            if let Some(found) = wanted(&list.items) {
                return found;
            }
            seen = list.items;
            let version = list.metadata.resource_version.unwrap();
            let mut selected = WatchParams::default();
            selected.label_selector.clone_from(&params.label_selector);
            let stream = api.watch(&selected, &version).await.unwrap();
            _ = std::pin::pin!(stream).next().await;
        }
    };
    let found = tokio::time::timeout(DEADLINE, search).await;
    found.unwrap_or_else(|_| {
        let seen = serde_json::to_string(&seen).unwrap_or_default();
        panic!("waited in vain until {what}; there is {seen}")
    })
}

/// Waits until the object of that name is as `wanted`, and returns what `wanted` makes of it.
pub(crate) async fn until_one<K, T>(
    api: &Api<K>,
    name: &str,
    what: &str,
    wanted: impl Fn(&K) -> Option<T>,
) -> T
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let is_it = |object: &&K| object.meta().name.as_deref() == Some(name);
    until(api, &ListParams::default(), what, |all| {
        all.iter().find(is_it).and_then(&wanted)
    })
    .await
}

/// Waits until no object of that name is there.
pub(crate) async fn until_gone<K>(api: &Api<K>, name: &str)
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let is_it = |object: &K| object.meta().name.as_deref() == Some(name);
    let what = format!("{name} is gone");
    until(api, &ListParams::default(), &what, |all| {
        (!all.iter().any(is_it)).then_some(())
    })
    .await;
}

/// Keeps a promise within the deadline.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("it takes too long")
}

/// Makes node `n1`, gives every Pod on it an address and readiness, and lets go of those being deleted. Pods with the
/// label `ready: "no"` run without ever getting ready; those with `end: Succeeded` or `end: Failed` end like that.
async fn pretend_node(client: Client) {
    let nodes: Api<Node> = Api::all(client.clone());
    create(&nodes, json!({"metadata": {"name": "n1"}})).await;
    let amounts = json!({"cpu": "2", "memory": "1Gi", "pods": "110"});
    let status = json!({
        "allocatable": amounts, "capacity": amounts,
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    nodes
        .patch_status(
            "n1",
            &PatchParams::default(),
            &Patch::Merge(json!({"status": status})),
        )
        .await
        .unwrap();
    let pods: Api<Pod> = Api::all(client.clone());
    let mut count = 0_u8;
    loop {
        let list = pods.list(&ListParams::default()).await.unwrap();
        for pod in list.items {
            look_after(&client, &pod, &mut count).await;
        }
        let version = list.metadata.resource_version.unwrap();
        let stream = pods.watch(&WatchParams::default(), &version).await.unwrap();
        _ = std::pin::pin!(stream).next().await;
    }
}

async fn look_after(client: &Client, pod: &Pod, count: &mut u8) {
    let name = pod.metadata.name.as_deref().unwrap();
    let api: Api<Pod> = Api::namespaced(client.clone(), pod.metadata.namespace.as_deref().unwrap());
    if pod.spec.as_ref().unwrap().node_name.as_deref() != Some("n1") {
        return;
    }
    if pod.metadata.deletion_timestamp.is_some() {
        // Somebody may have been faster.
        _ = api.delete(name, &DeleteParams::default().grace_period(0)).await;
        return;
    }
    let status = pod.status.clone().unwrap_or_default();
    if status.phase.as_deref() != Some("Pending") {
        return;
    }
    *count += 1;
    let label = |name: &str| {
        pod.metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(name))
            .map(String::as_str)
    };
    let end = label("end");
    let ready = if end.is_some() || label("ready") == Some("no") {
        "False"
    } else {
        "True"
    };
    let patch = json!({"status": {
        "phase": end.unwrap_or("Running"),
        "podIP": format!("127.64.0.{count}"),
        "conditions": [{"type": "Ready", "status": ready}],
    }});
    _ = api
        .patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
        .await;
}
