//! The API as a process of its own, and how it is killed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use toolforge_apiserver::{ApiServer, Config};
use toolforge_pki::Authority;

use crate::DEADLINE;

const FOLDER: &str = "TOOLFORGE_CRASH_FOLDER";
const PORT: &str = "TOOLFORGE_CRASH_PORT";
/// What the process says when it serves.
const READY: &str = "the API serves";

/// A folder and a port that the API comes back to.
pub(crate) struct Site {
    folder: TempDir,
    port: u16,
    kubeconfig: Kubeconfig,
}

/// A running API.
pub(crate) struct Running {
    child: Child,
    pub(crate) maps: Api<ConfigMap>,
}

impl Site {
    pub(crate) fn new() -> Self {
        toolforge_pki::install_provider();
        // Where there is one, a file system in memory: to the end of a process it is the same, and more gets written.
        let memory = Path::new("/dev/shm");
        let folder = tempfile::tempdir_in(memory)
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let authority = Authority::load_or_create(folder.path(), "ca", "test authority").unwrap();
        let port = toolforge_testkit::free_port();
        let admin = authority.issue_client("admin", &["system:masters"]).unwrap();
        let kubeconfig = toolforge_serve::kubeconfig(
            &format!("https://127.0.0.1:{port}"),
            authority.certificate_pem(),
            &admin,
            "test",
            "default",
        );
        Self {
            folder,
            port,
            kubeconfig: serde_json::from_str(&kubeconfig).unwrap(),
        }
    }

    /// Starts the API and waits until it serves.
    pub(crate) async fn start(&self) -> Running {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "site::serves_when_asked", "--nocapture"])
            .env(FOLDER, self.folder.path())
            .env(PORT, self.port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(READY) {
                    return;
                }
            }
            panic!("the API ended before it was ready");
        };
        tokio::time::timeout(DEADLINE, ready)
            .await
            .expect("the API gets ready");
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(self.kubeconfig.clone(), &options)
            .await
            .unwrap();
        Running {
            child,
            maps: Api::default_namespaced(kube::Client::try_from(config).unwrap()),
        }
    }
}

impl Running {
    /// SIGKILL, and the end of it.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// The process itself. Without its environment it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_when_asked() {
    let (Some(folder), Ok(port)) = (std::env::var_os(FOLDER), std::env::var(PORT)) else {
        return;
    };
    toolforge_pki::install_provider();
    let folder = PathBuf::from(folder);
    let authority = Authority::load_or_create(&folder, "ca", "test authority").unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().unwrap()));
    let listener = TcpListener::bind(address).await.unwrap();
    let server = ApiServer::open(Config {
        store_dir: folder.join("store"),
        keys_dir: folder.join("keys"),
        advertise: format!("https://{address}"),
        server: authority.issue_server(&["127.0.0.1"]).unwrap(),
        client_ca_pem: authority.certificate_pem().to_owned(),
        node_client: authority
            .issue_client("kube-apiserver-kubelet-client", &[])
            .unwrap(),
        service_network: u32::from(Ipv4Addr::new(127, 96, 0, 0)),
    })
    .await
    .unwrap();
    println!("\n{READY}");
    server.run(listener, CancellationToken::new()).await.unwrap();
}
