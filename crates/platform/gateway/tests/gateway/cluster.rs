//! A Kubernetes API for the gateway to follow.

use std::net::Ipv4Addr;

use k8s_openapi::api::{
    core::v1::{Namespace, Secret, Service},
    discovery::v1::EndpointSlice,
    networking::v1::Ingress,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toolforge_apiserver::ApiServer;
use toolforge_pki::{Authority, Identity};

use crate::{
    scene::{DEADLINE, listener},
    tools::Tool,
};

/// An API on a port of its own, with its store in a folder that goes with it.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Cluster {
    pub(crate) async fn new() -> Self {
        toolforge_pki::install_provider();
        let authority = Authority::create("cluster authority").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let listener = listener().await;
        let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let config = toolforge_apiserver::Config {
            store_dir: folder.path().join("store"),
            keys_dir: folder.path().join("keys"),
            advertise: url.clone(),
            server: authority.issue_server(&["127.0.0.1"]).unwrap(),
            client_ca_pem: authority.certificate_pem().to_owned(),
            node_client: authority
                .issue_client("kube-apiserver-kubelet-client", &[])
                .unwrap(),
            service_network: u32::from(Ipv4Addr::new(127, 96, 0, 0)),
        };
        let api = ApiServer::open(config).await.unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let served = tokio::spawn(async move { api.run(listener, stop).await.unwrap() });
        let admin = authority.issue_client("admin", &["system:masters"]).unwrap();
        let kubeconfig =
            toolforge_serve::kubeconfig(&url, authority.certificate_pem(), &admin, "test", "default");
        let kubeconfig = Kubeconfig::from_yaml(&kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .unwrap();
        let client = Client::try_from(config).unwrap();
        Self {
            client,
            shutdown,
            served,
            _folder: folder,
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.served)
            .await
            .unwrap()
            .unwrap();
    }

    pub(crate) async fn create<K>(&self, api: Api<K>, object: Value)
    where
        K: Serialize + DeserializeOwned + Clone + std::fmt::Debug,
    {
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap())
            .await
            .unwrap();
    }

    pub(crate) async fn create_namespace(&self, name: &str) {
        let labels = json!({ "name": name, "tenancy": "tool" });
        let namespace = json!({ "metadata": { "name": name, "labels": labels } });
        self.create(Api::<Namespace>::all(self.client.clone()), namespace)
            .await;
    }

    pub(crate) async fn create_ingress(&self, namespace: &str, name: &str, host: &str) {
        let backend = json!({ "service": { "name": "web", "port": { "number": 8000 } } });
        let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
        let spec = json!({ "ingressClassName": "toolforge", "rules": [{ "host": host, "http": { "paths": paths } }] });
        let ingress = json!({ "metadata": { "name": name }, "spec": spec });
        self.create(self.ingresses(namespace), ingress).await;
    }

    /// A Service `web` with the tool as its only endpoint.
    pub(crate) async fn create_backend(&self, namespace: &str, tool: &Tool) {
        self.create_backend_speaking(namespace, tool, None).await;
    }

    /// The same, the Service saying that this is spoken at its port.
    pub(crate) async fn create_backend_speaking(&self, namespace: &str, tool: &Tool, protocol: Option<&str>) {
        let ports = json!([{ "name": "http", "port": 8000, "targetPort": 8000, "appProtocol": protocol }]);
        let service = json!({ "metadata": { "name": "web" }, "spec": { "ports": ports } });
        self.create(
            Api::<Service>::namespaced(self.client.clone(), namespace),
            service,
        )
        .await;
        let labels = json!({ "kubernetes.io/service-name": "web" });
        let endpoint = json!({ "addresses": [tool.address.ip()], "conditions": { "ready": true } });
        let slice = json!({
            "metadata": { "name": "web-1", "labels": labels },
            "addressType": "IPv4",
            "ports": [{ "name": "http", "port": tool.address.port() }],
            "endpoints": [endpoint],
        });
        self.create(
            Api::<EndpointSlice>::namespaced(self.client.clone(), namespace),
            slice,
        )
        .await;
    }

    pub(crate) async fn patch_ingress(&self, namespace: &str, name: &str, patch: Value) {
        let ingresses = self.ingresses(namespace);
        ingresses
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Makes this the content of a Secret, whether it is there or not.
    pub(crate) async fn put_tls_secret(&self, namespace: &str, name: &str, identity: &Identity) {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": { "name": name },
            "stringData": { "tls.crt": identity.certificate_pem, "tls.key": identity.key_pem },
        });
        Api::<Secret>::namespaced(self.client.clone(), namespace)
            .patch(name, &PatchParams::apply("test").force(), &Patch::Apply(secret))
            .await
            .unwrap();
    }

    pub(crate) fn ingresses(&self, namespace: &str) -> Api<Ingress> {
        Api::namespaced(self.client.clone(), namespace)
    }
}
