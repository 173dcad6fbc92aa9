//! An API on a free port with an authority of its own, and clients of it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use kube::config::{AuthInfo, Kubeconfig};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toolforge_apiserver::{ApiServer, Config};
use toolforge_pki::Authority;

/// How long a condition may take on a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A running API.
pub(crate) struct Harness {
    pub(crate) server: std::sync::Arc<ApiServer>,
    pub(crate) authority: Authority,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

pub(crate) fn config(folder: &Path, authority: &Authority, address: SocketAddr) -> Config {
    Config {
        store_dir: folder.join("store"),
        keys_dir: folder.join("keys"),
        advertise: format!("https://{address}"),
        server: authority.issue_server(&["127.0.0.1", "localhost"]).unwrap(),
        client_ca_pem: authority.certificate_pem().to_owned(),
        node_client: authority
            .issue_client("kube-apiserver-kubelet-client", &[])
            .unwrap(),
        service_network: u32::from(std::net::Ipv4Addr::new(127, 96, 0, 0)),
    }
}

async fn resolve(config: Kubeconfig) -> kube::Config {
    let options = kube::config::KubeConfigOptions::default();
    kube::Config::from_custom_kubeconfig(config, &options)
        .await
        .unwrap()
}

impl Harness {
    /// Starts an API on an empty folder.
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    /// Starts an API on a folder.
    pub(crate) async fn start_in(folder: TempDir) -> Self {
        Self::start_with(folder, |server| server).await
    }

    /// Starts an API on a folder, set up in a way of its own.
    pub(crate) async fn start_with(folder: TempDir, set_up: impl FnOnce(ApiServer) -> ApiServer) -> Self {
        toolforge_pki::install_provider();
        let authority = Authority::load_or_create(folder.path(), "ca", "test authority").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = ApiServer::open(config(folder.path(), &authority, address))
            .await
            .unwrap();
        let server = std::sync::Arc::new(set_up(server));
        let shutdown = CancellationToken::new();
        let running = tokio::spawn({
            let (server, shutdown) = (server.clone(), shutdown.clone());
            async move { server.run(listener, shutdown).await.unwrap() }
        });
        Self {
            server,
            authority,
            address,
            folder,
            shutdown,
            running,
        }
    }

    /// The administrator, without a socket.
    pub(crate) fn admin(&self) -> kube::Client {
        self.server.client("admin", &["system:masters"])
    }

    /// A client over mutual TLS.
    pub(crate) async fn over_tls(&self, user: &str, groups: &[&str]) -> kube::Client {
        let config = self.kubeconfig(user, groups, "default");
        let config: Kubeconfig = serde_json::from_str(&config).unwrap();
        kube::Client::try_from(resolve(config).await).unwrap()
    }

    /// A client that presents no certificate.
    pub(crate) async fn anonymous(&self) -> kube::Client {
        let config: Kubeconfig = serde_json::from_str(&self.kubeconfig("nobody", &[], "default")).unwrap();
        let mut config = resolve(config).await;
        config.auth_info = AuthInfo::default();
        kube::Client::try_from(config).unwrap()
    }

    /// A client that presents a token and no certificate.
    pub(crate) async fn with_token(&self, token: &str) -> kube::Client {
        let config: Kubeconfig = serde_json::from_str(&self.kubeconfig("nobody", &[], "default")).unwrap();
        let mut config = resolve(config).await;
        config.auth_info = AuthInfo {
            token: Some(token.to_owned().into()),
            ..AuthInfo::default()
        };
        kube::Client::try_from(config).unwrap()
    }

    /// A kubeconfig, which is JSON.
    pub(crate) fn kubeconfig(&self, user: &str, groups: &[&str], namespace: &str) -> String {
        let identity = self.authority.issue_client(user, groups).unwrap();
        let server = format!("https://{}", self.address);
        toolforge_serve::kubeconfig(
            &server,
            self.authority.certificate_pem(),
            &identity,
            "test",
            namespace,
        )
    }

    /// Stops the API and gives its folder back.
    pub(crate) async fn stop(self) -> TempDir {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.running)
            .await
            .expect("the API stops")
            .unwrap();
        self.folder
    }
}
