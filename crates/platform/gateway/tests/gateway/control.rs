//! The gateway before a real API: what is created there is served, and what was served stays so without it.

use std::{net::Ipv4Addr, num::NonZeroUsize, path::PathBuf, time::Duration};

use k8s_openapi::api::{
    core::v1::{Namespace, Service},
    discovery::v1::EndpointSlice,
    networking::v1::Ingress,
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toolforge_apiserver::ApiServer;
use toolforge_gateway::{Config, Published, default_backend, run};
use toolforge_pki::Authority;
use toolforge_policy::IngressPolicy;

use crate::{
    scene::{DEADLINE, DOMAIN, listener},
    tools::Tool,
};

/// The pause between two looks at something that is about to happen.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// An API on a port of its own, with its store in a folder that goes with it.
struct Cluster {
    client: Client,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Cluster {
    async fn new() -> Self {
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

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.served)
            .await
            .unwrap()
            .unwrap();
    }

    async fn create<K>(&self, api: Api<K>, object: Value)
    where
        K: Serialize + DeserializeOwned + Clone + std::fmt::Debug,
    {
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap())
            .await
            .unwrap();
    }

    async fn create_namespace(&self, name: &str) {
        let labels = json!({ "name": name, "tenancy": "tool" });
        let namespace = json!({ "metadata": { "name": name, "labels": labels } });
        self.create(Api::<Namespace>::all(self.client.clone()), namespace)
            .await;
    }

    async fn create_ingress(&self, namespace: &str, name: &str, host: &str) {
        let backend = json!({ "service": { "name": "web", "port": { "number": 8000 } } });
        let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
        let spec = json!({ "ingressClassName": "toolforge", "rules": [{ "host": host, "http": { "paths": paths } }] });
        let ingress = json!({ "metadata": { "name": name }, "spec": spec });
        self.create(self.ingresses(namespace), ingress).await;
    }

    /// A Service `web` with the tool as its only endpoint.
    async fn create_backend(&self, namespace: &str, tool: &Tool) {
        let ports = json!([{ "name": "http", "port": 8000, "targetPort": 8000 }]);
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

    fn ingresses(&self, namespace: &str) -> Api<Ingress> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// A gateway as the roof program runs it.
struct Gateway {
    client: reqwest::Client,
    port: u16,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Gateway {
    async fn new(client: Client, last_table: PathBuf) -> Self {
        let authority = Authority::create("web authority").unwrap();
        let https = listener().await;
        let address = https.local_addr().unwrap();
        let config = Config {
            domain: DOMAIN.parse().unwrap(),
            policy: IngressPolicy::new(vec![DOMAIN.parse().unwrap()], "toolforge", []).unwrap(),
            http: None,
            workers: NonZeroUsize::MIN.saturating_add(1),
            https,
            public_https_port: address.port(),
            identity: authority.issue_server(&[&format!("*.{DOMAIN}")]).unwrap(),
            default_backend: default_backend(),
            last_table,
            published: Some(Published::Ip(address.ip())),
            content_security_policy_report_only: None,
            rules: None,
        };
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let served = tokio::spawn(async move { run(client, config, stop).await.unwrap() });
        let tls = toolforge_pki::client_config(authority.certificate_pem(), None).unwrap();
        let mut builder = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .no_proxy()
            .timeout(DEADLINE);
        for tool in ["alpha", "beta"] {
            builder = builder.resolve(&format!("{tool}.{DOMAIN}"), address);
        }
        Self {
            client: builder.build().unwrap(),
            port: address.port(),
            shutdown,
            served,
        }
    }

    async fn status(&self, tool: &str) -> u16 {
        let url = format!("https://{tool}.{DOMAIN}:{}/", self.port);
        self.client.get(url).send().await.unwrap().status().as_u16()
    }

    async fn until_status(&self, tool: &str, status: u16) {
        let looking = async {
            while self.status(tool).await != status {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(DEADLINE, looking)
            .await
            .expect("the status did not come in time");
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.served)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn what_the_api_says_is_served_and_stays_served_without_it() {
    let (cluster, tool) = (Cluster::new().await, Tool::named("alpha").await);
    let folder = tempfile::tempdir().unwrap();
    let last_table = folder.path().join("table.json");
    let gateway = Gateway::new(cluster.client.clone(), last_table.clone()).await;
    assert_eq!(gateway.status("alpha").await, 404);

    cluster.create_namespace("tool-alpha").await;
    cluster.create_backend("tool-alpha", &tool).await;
    cluster
        .create_ingress("tool-alpha", "web", &format!("alpha.{DOMAIN}"))
        .await;
    gateway.until_status("alpha", 200).await;

    // Nothing stands before this API that would refuse it, and still nobody gets a foreign host.
    cluster
        .create_ingress("tool-alpha", "theirs", &format!("beta.{DOMAIN}"))
        .await;
    cluster.create_namespace("tool-beta").await;
    cluster
        .create_ingress("tool-beta", "web", &format!("beta.{DOMAIN}"))
        .await;
    gateway.until_status("beta", 503).await;

    until_published(&cluster.ingresses("tool-alpha"), "web").await;
    let theirs = cluster.ingresses("tool-alpha").get("theirs").await.unwrap();
    assert!(
        theirs
            .status
            .and_then(|status| status.load_balancer)
            .is_none_or(|load| load.ingress.is_none())
    );

    cluster
        .ingresses("tool-beta")
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    gateway.until_status("beta", 404).await;

    let dead_api = cluster.client.clone();
    cluster.stop().await;
    assert_eq!(gateway.status("alpha").await, 200, "the API is gone");
    gateway.stop().await;
    let gateway = Gateway::new(dead_api, last_table).await;
    assert_eq!(
        gateway.status("alpha").await,
        200,
        "the API is gone and the gateway starts"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn api_that_lost_its_memory_does_not_empty_the_table() {
    let (cluster, tool) = (Cluster::new().await, Tool::named("alpha").await);
    let folder = tempfile::tempdir().unwrap();
    let last_table = folder.path().join("table.json");
    let gateway = Gateway::new(cluster.client.clone(), last_table.clone()).await;
    cluster.create_namespace("tool-alpha").await;
    cluster.create_backend("tool-alpha", &tool).await;
    cluster
        .create_ingress("tool-alpha", "web", &format!("alpha.{DOMAIN}"))
        .await;
    gateway.until_status("alpha", 200).await;
    gateway.stop().await;
    cluster.stop().await;

    let empty = Cluster::new().await;
    let gateway = Gateway::new(empty.client.clone(), last_table).await;
    // Not yet the account service's, so that it says nothing about the API's memory.
    let bare = json!({ "metadata": { "name": "tool-beta" } });
    empty
        .create(Api::<Namespace>::all(empty.client.clone()), bare)
        .await;
    empty
        .create_ingress("tool-beta", "web", &format!("beta.{DOMAIN}"))
        .await;
    gateway.until_status("beta", 503).await;
    assert_eq!(
        gateway.status("alpha").await,
        200,
        "the lists without it have been heard"
    );
    // The first tool that the API knows again shows that it has a memory.
    empty.create_namespace("tool-gamma").await;
    gateway.until_status("alpha", 404).await;
    gateway.stop().await;
    empty.stop().await;
}

async fn until_published(ingresses: &Api<Ingress>, name: &str) {
    let looking = async {
        loop {
            let status = ingresses.get(name).await.unwrap().status;
            let entries = status
                .and_then(|status| status.load_balancer)
                .and_then(|load| load.ingress);
            if entries.is_some_and(|entries| entries[0].ip.as_deref() == Some("127.0.0.1")) {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(DEADLINE, looking)
        .await
        .expect("the status was not written in time");
}
