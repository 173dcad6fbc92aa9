//! The built-in API alone, in the test's own process, for components that run as programs beside it.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_apiserver::ApiServer;
use toolforge_pki::Authority;

/// An API of the built-in cluster, and what is needed to be known to it.
pub(crate) struct Cluster {
    /// Signs for everybody.
    pub(crate) authority: Authority,
    pub(crate) admin: Client,
    /// The operator's `kubeconfig` is in here, and what else a test needs.
    pub(crate) folder: TempDir,
    _running: DropGuard,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let authority = Authority::create("cluster").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let config = toolforge_apiserver::Config {
            store_dir: folder.path().join("store"),
            keys_dir: folder.path().join("keys"),
            advertise: url.clone(),
            server: authority.issue_server(&["127.0.0.1"]).unwrap(),
            client_ca_pem: authority.certificate_pem().to_owned(),
            node_client: authority.issue_client("kubelet-client", &[]).unwrap(),
            service_network: u32::from(Ipv4Addr::new(127, 97, 0, 0)),
        };
        let api = ApiServer::open(config).await.unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        tokio::spawn(async move { api.run(listener, stop).await });
        let identity = authority.issue_client("admin", &["system:masters"]).unwrap();
        let text =
            toolforge_serve::kubeconfig(&url, authority.certificate_pem(), &identity, "test", "default");
        std::fs::write(folder.path().join("kubeconfig"), &text).unwrap();
        let options = KubeConfigOptions::default();
        let config =
            kube::Config::from_custom_kubeconfig(Kubeconfig::from_yaml(&text).unwrap(), &options).await;
        Self {
            authority,
            admin: Client::try_from(config.unwrap()).unwrap(),
            folder,
            _running: shutdown.drop_guard(),
        }
    }

    /// The namespace of a tool.
    pub(crate) async fn tool(&self, name: &str) {
        let namespace = format!("tool-{name}");
        let object =
            json!({"metadata": {"name": namespace, "labels": {"tenancy": "tool", "name": namespace}}});
        let api: Api<Namespace> = Api::all(self.admin.clone());
        let object: Namespace = serde_json::from_value(object).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap();
    }
}
