//! An API of the built-in cluster for one test.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_admission::{ClientConfigBase, Reach, webhook_configurations};
use toolforge_apiserver::ApiServer;
use toolforge_pki::{Authority, Identity};
use toolforge_policy::PolicySettings;

/// How long a condition may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// An API of the built-in cluster, with or without controllers; everything of it ends with the value.
pub(crate) struct Cluster {
    pub(crate) url: String,
    pub(crate) authority: Arc<Authority>,
    pub(crate) admin: Client,
    server: Arc<ApiServer>,
    _folder: tempfile::TempDir,
    _running: DropGuard,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let authority = Arc::new(Authority::create("cluster").unwrap());
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
        let server = Arc::new(ApiServer::open(config).await.unwrap());
        let api = Arc::clone(&server);
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        tokio::spawn(async move { api.run(listener, stop).await });
        let admin = authority.issue_client("admin", &["system:masters"]).unwrap();
        let admin = client(&url, &authority, &admin).await;
        Self {
            url,
            authority,
            admin,
            server,
            _folder: folder,
            _running: shutdown.drop_guard(),
        }
    }

    /// Runs the controllers until the token is cancelled; their signer signs by this authority.
    pub(crate) fn control(&self, authority: &Arc<Authority>) -> CancellationToken {
        let stop = CancellationToken::new();
        let groups = ["system:authenticated"];
        let client = self.server.client("system:kube-controller-manager", &groups);
        tokio::spawn(toolforge_controllers::run(
            client,
            Arc::clone(authority),
            stop.clone(),
        ));
        stop
    }

    /// A client with the rights of the admission server where the cluster issues its certificate, and no others.
    pub(crate) async fn guard(&self, signer: &str) -> Client {
        let rules = [
            toolforge_admission::service_rules(),
            toolforge_admission::certificate_rules(signer),
        ];
        self.grant("ClusterRole", &rules.concat()).await;
        self.grant("Role", &toolforge_admission::authority_rules()).await;
        let who = self.authority.issue_client("toolforge:admission", &[]).unwrap();
        client(&self.url, &self.authority, &who).await
    }

    /// A role of the admission server, in the whole cluster or in its namespace, and its binding.
    pub(crate) async fn grant(&self, kind: &str, rules: &[Value]) {
        let group = "rbac.authorization.k8s.io";
        let version = format!("{group}/v1");
        let mut metadata = json!({"name": "toolforge-admission"});
        if kind == "Role" {
            metadata["namespace"] = json!("toolforge-system");
        }
        let role = json!({"apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules});
        let binding = if kind == "Role" {
            "RoleBinding"
        } else {
            "ClusterRoleBinding"
        };
        let binding = json!({
            "apiVersion": version, "kind": binding, "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": kind, "name": "toolforge-admission"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "toolforge:admission"}],
        });
        self.create(&role).await.unwrap();
        self.create(&binding).await.unwrap();
    }

    /// The configurations of webhooks that are at this address.
    pub(crate) async fn register(&self, address: SocketAddr) -> ClientConfigBase {
        let base = ClientConfigBase::Url(format!("https://{address}"));
        let pem = self.authority.certificate_pem();
        for configuration in webhook_configurations(&base, Some(pem), &reach()) {
            self.create(&configuration).await.unwrap();
        }
        base
    }

    pub(crate) async fn create(&self, object: &Value) -> kube::Result<DynamicObject> {
        let text = |field: &str| object[field].as_str().unwrap();
        let (group, version) = text("apiVersion")
            .split_once('/')
            .unwrap_or(("", text("apiVersion")));
        let kind = GroupVersionKind::gvk(group, version, text("kind"));
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.admin.clone(), namespace, &resource),
            None => Api::all_with(self.admin.clone(), &resource),
        };
        let object = serde_json::from_value(object.clone()).unwrap();
        api.create(&PostParams::default(), &object).await
    }

    pub(crate) async fn tool(&self, name: &str) {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": format!("tool-{name}"), "labels": {"tenancy": "tool", "name": format!("tool-{name}")}},
        });
        self.create(&namespace).await.unwrap();
    }
}

/// Before which namespaces the guards stand: `storage-system` is safe, as the operator says.
pub(crate) fn reach() -> Reach {
    let settings = "{domains: [toolforge.org], registries: [r.example], safeNamespaces: {images: [storage-system], \
                    volumes: [storage-system]}}";
    Reach::of(&PolicySettings::read(settings).unwrap().resolve().unwrap())
}

pub(crate) async fn client(url: &str, authority: &Authority, identity: &Identity) -> Client {
    let text = toolforge_serve::kubeconfig(url, authority.certificate_pem(), identity, "test", "default");
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    Client::try_from(config.unwrap()).unwrap()
}
