//! An API over TLS, a node with real processes, and clients of both.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::watch_object;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use toolforge_apiserver::ApiServer;
use toolforge_pki::Authority;
use toolforge_testkit::Network;

/// How long a condition may take on a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// The name of the node.
const NODE: &str = "one";

/// The two ways in which `kubectl` speaks.
pub(crate) const WAYS: [&str; 2] = ["true", "false"];

/// An API, and a node of it.
pub(crate) struct Cluster {
    pub(crate) folder: tempfile::TempDir,
    authority: Authority,
    server: Arc<ApiServer>,
    address: SocketAddr,
    shutdown: CancellationToken,
    _network: Network,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::with_silence(toolforge_node::SESSION_SILENCE).await
    }

    /// One whose sessions end when they are silent for so long.
    pub(crate) async fn with_silence(session_silence: Duration) -> Self {
        let network = Network::claim();
        let number = network.number();
        toolforge_pki::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create("test").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service_network = Ipv4Addr::new(127, number + 32, 0, 0);
        let config = toolforge_apiserver::Config {
            store_dir: folder.path().join("store"),
            keys_dir: folder.path().join("keys"),
            advertise: format!("https://{address}"),
            server: authority.issue_server(&["127.0.0.1"]).unwrap(),
            client_ca_pem: authority.certificate_pem().to_owned(),
            node_client: authority
                .issue_client("kube-apiserver-kubelet-client", &[])
                .unwrap(),
            service_network: u32::from(service_network),
        };
        let server = Arc::new(ApiServer::open(config).await.unwrap());
        let shutdown = CancellationToken::new();
        let (api, stop) = (server.clone(), shutdown.clone());
        tokio::spawn(async move { api.run(listener, stop).await });
        let node = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state_dir = folder.path().join("node");
        std::fs::create_dir_all(&state_dir).unwrap();
        let config = toolforge_node::Config {
            name: NODE.to_owned(),
            advertise_port: node.local_addr().unwrap().port(),
            listener: node,
            identity: authority.issue_server(&["127.0.0.1"]).unwrap(),
            client_ca_pem: authority.certificate_pem().to_owned(),
            state_dir,
            bin_dir: folder.path().join("bin"),
            api_host_port: ("127.0.0.1".to_owned(), address.port()),
            pod_network: Ipv4Addr::new(127, number, 0, 0),
            service_network,
            session_silence,
            protect: toolforge_node::detect_protection(),
        };
        let client = server.client("system:node:one", &["system:nodes"]);
        tokio::spawn(toolforge_node::run(client, config, shutdown.clone()));
        let cluster = Self {
            folder,
            authority,
            server,
            address,
            shutdown,
            _network: network,
        };
        cluster.publish_authority().await;
        cluster.node_is_reachable().await;
        cluster
    }

    /// What a controller does: every Pod mounts it beside its token.
    async fn publish_authority(&self) {
        let map = json!({"metadata": {"name": "kube-root-ca.crt"},
            "data": {"ca.crt": self.authority.certificate_pem()}});
        let map: ConfigMap = serde_json::from_value(map).unwrap();
        let maps: Api<ConfigMap> = Api::namespaced(self.admin(), "default");
        maps.create(&PostParams::default(), &map).await.unwrap();
    }

    pub(crate) fn admin(&self) -> kube::Client {
        self.server.client("admin", &["system:masters"])
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.admin(), "default")
    }

    async fn node_is_reachable(&self) {
        let mut seen = std::pin::pin!(watch_object(Api::<Node>::all(self.admin()), NODE));
        let wait = async {
            while let Some(node) = seen.next().await {
                let status = node.ok().flatten().and_then(|node| node.status);
                if status
                    .is_some_and(|status| status.addresses.is_some() && status.daemon_endpoints.is_some())
                {
                    return;
                }
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("a node");
    }

    /// A Pod with one container that runs `script`, once it runs.
    pub(crate) async fn pod(&self, name: &str, script: &str) -> Pod {
        self.pod_of(name, json!({"command": ["sh", "-c", script]})).await
    }

    /// A Pod with this container, once it runs.
    pub(crate) async fn pod_of(&self, name: &str, mut container: Value) -> Pod {
        container["name"] = json!("main");
        container["image"] = json!("none");
        let pod = json!({"metadata": {"name": name}, "spec": {
            "nodeName": NODE, "terminationGracePeriodSeconds": 1, "containers": [container]}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        self.pods().create(&PostParams::default(), &pod).await.unwrap();
        let mut seen = std::pin::pin!(watch_object(self.pods(), name));
        let wait = async {
            while let Some(pod) = seen.next().await {
                let Ok(Some(pod)) = pod else { continue };
                let status = pod.status.as_ref();
                let containers = status.and_then(|status| status.container_statuses.as_ref());
                if containers.is_some_and(|all| all.iter().all(|one| one.ready)) {
                    return pod;
                }
            }
            panic!("the watch ended");
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("a ready Pod")
    }

    fn kubeconfig(&self, user: &str, groups: &[&str]) -> String {
        let identity = self.authority.issue_client(user, groups).unwrap();
        let url = format!("https://{}", self.address);
        toolforge_serve::kubeconfig(
            &url,
            self.authority.certificate_pem(),
            &identity,
            "test",
            "default",
        )
    }

    /// A client of `kube`, over a socket.
    pub(crate) async fn client(&self, user: &str, groups: &[&str]) -> kube::Client {
        let config: Kubeconfig = serde_json::from_str(&self.kubeconfig(user, groups)).unwrap();
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options)
            .await
            .unwrap();
        kube::Client::try_from(config).unwrap()
    }

    /// `kubectl` that speaks WebSocket ("true") or SPDY ("false").
    pub(crate) fn kubectl(&self, websockets: &str, line: &[&str]) -> Command {
        self.kubectl_as("admin", &["system:masters"], websockets, line)
    }

    pub(crate) fn kubectl_as(&self, user: &str, groups: &[&str], websockets: &str, line: &[&str]) -> Command {
        let kubeconfig = self.folder.path().join(format!("{user}.kubeconfig"));
        std::fs::write(&kubeconfig, self.kubeconfig(user, groups)).unwrap();
        let mut command = Command::new("kubectl");
        command
            .args(line)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", &kubeconfig)
            .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs `kubectl` to its end.
    pub(crate) async fn run(&self, websockets: &str, line: &[&str]) -> Ended {
        ended(self.kubectl(websockets, line).spawn().unwrap()).await
    }

    /// Runs `kubectl` to its end, with this input.
    pub(crate) async fn run_with(&self, websockets: &str, line: &[&str], input: Vec<u8>) -> Ended {
        let mut child = self
            .kubectl(websockets, line)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writing = tokio::spawn(async move {
            // It may not read all of it.
            let _ = stdin.write_all(&input).await;
        });
        let ended = ended(child).await;
        writing.abort();
        ended
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn ended(child: Child) -> Ended {
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output())
        .await
        .expect("kubectl ends")
        .unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ended {
    /// What it wrote, if it went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }
}
