//! The gateway before a real API: what is created there is served, and what was served stays so without it.

mod policies;
mod received;

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use k8s_openapi::api::{
    core::v1::{Namespace, Service},
    networking::v1::Ingress,
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toolforge_gateway::{Config, Drain, PlainHttp, Policies, Published, Succession, run};
use toolforge_pki::Authority;
use toolforge_policy::IngressPolicy;

use crate::{
    cluster::Cluster,
    h2c,
    scene::{DEADLINE, DOMAIN, LOOK_AGAIN, listener},
    tools::{Tool, text},
};

/// A gateway as the roof program runs it.
struct Gateway {
    client: reqwest::Client,
    port: u16,
    /// Where it leads to HTTPS.
    plain: SocketAddr,
    /// Where it says how it is.
    status_address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Gateway {
    async fn new(client: Client, last_table: PathBuf) -> Self {
        Self::under(DOMAIN, client, last_table).await
    }

    /// One whose policy lets tools have hosts of this domain.
    async fn under(domain: &str, client: Client, last_table: PathBuf) -> Self {
        Self::by(policy(domain).into(), client, last_table).await
    }

    /// One that goes by these policies.
    async fn by(policy: Policies, client: Client, last_table: PathBuf) -> Self {
        let authority = Authority::create("web authority").unwrap();
        let https = listener().await;
        let address = https.local_addr().unwrap();
        let http = listener().await;
        let plain = http.local_addr().unwrap();
        let status = listener().await;
        let status_address = status.local_addr().unwrap();
        let config = Config {
            policy,
            http: Some((http, PlainHttp::Redirect)),
            workers: NonZeroUsize::MIN.saturating_add(1),
            status: Some(status),
            process: toolforge_figures::Process::Own,
            https,
            public_https_port: address.port(),
            identity: authority.issue_server(&[&format!("*.{DOMAIN}")]).unwrap(),
            identity_files: None,
            last_table,
            published: Some(Published::Ip(address.ip())),
            rules: None,
            registrations: None,
            drain: Drain::quick(),
            succession: Succession::default(),
        };
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let served = tokio::spawn(async move { run(client, config, stop).await.unwrap() });
        let tls = toolforge_pki::client_config(authority.certificate_pem(), None).unwrap();
        let mut builder = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE);
        for tool in ["alpha", "beta"] {
            builder = builder.resolve(&format!("{tool}.{DOMAIN}"), address);
        }
        Self {
            client: builder.build().unwrap(),
            port: address.port(),
            plain,
            status_address,
            shutdown,
            served,
        }
    }

    async fn status(&self, tool: &str) -> u16 {
        self.status_at(&format!("{tool}.{DOMAIN}")).await
    }

    /// The status for whoever names this host.
    async fn status_at(&self, host: &str) -> u16 {
        let url = format!("https://alpha.{DOMAIN}:{}/", self.port);
        let request = self.client.get(url).header("host", host);
        request.send().await.unwrap().status().as_u16()
    }

    async fn until_status(&self, tool: &str, status: u16) {
        self.until_status_at(&format!("{tool}.{DOMAIN}"), status).await;
    }

    async fn until_status_at(&self, host: &str, status: u16) {
        let looking = async {
            while self.status_at(host).await != status {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(DEADLINE, looking)
            .await
            .expect("the status did not come in time");
    }

    /// Whether plain HTTP leads a host to HTTPS.
    async fn redirects(&self, host: &str) -> bool {
        let url = format!("http://{}/", self.plain);
        let answer = self.client.get(url).header("host", host).send().await.unwrap();
        answer.status().is_redirection()
    }

    /// What it says of itself.
    async fn page(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.status_address);
        let response = self.client.get(url).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// What it says of itself at a glance, to programs and to people.
    async fn overview(&self) -> (serde_json::Value, String) {
        let url = format!("http://{}/", self.status_address);
        let told = self.client.get(&url).send().await.unwrap();
        let browser = self.client.get(&url).header("accept", "text/html,*/*");
        let shown = browser.send().await.unwrap();
        assert_eq!(shown.headers()["content-type"], "text/html; charset=utf-8");
        let told = serde_json::from_slice(&told.bytes().await.unwrap()).unwrap();
        (told, shown.text().await.unwrap())
    }

    async fn until_figures_say(&self, line: &str) {
        let looking = async {
            while !self.page("/metrics").await.1.contains(line) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let came = tokio::time::timeout(DEADLINE, looking).await;
        let figures = self.page("/metrics").await.1;
        assert!(came.is_ok(), "{line:?} did not come: {figures}");
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.served)
            .await
            .unwrap()
            .unwrap();
    }
}

/// One that lets tools have hosts of this domain.
fn policy(domain: &str) -> IngressPolicy {
    IngressPolicy::new(vec![domain.parse().unwrap()], "toolforge", []).unwrap()
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

    assert_eq!(gateway.page("/readyz").await, (200, "ok".to_owned()));
    for line in [
        "toolforge_gateway_requests_total{namespace=\"tool-alpha\",code=\"2xx\"} 1\n",
        "toolforge_gateway_requests_total{namespace=\"tool-beta\",code=\"5xx\"} ",
        "toolforge_gateway_api_heard{resource=\"endpointslices\"} 1\n",
        "toolforge_gateway_answer_seconds_bucket{le=\"+Inf\"} ",
        "toolforge_gateway_hosts 1\n",
        "toolforge_gateway_certificate_expiry_timestamp_seconds{source=\"default\"} ",
    ] {
        gateway.until_figures_say(line).await;
    }
    let (told, shown) = gateway.overview().await;
    assert_eq!((&told["state"], &told["hosts"]), (&json!("ready"), &json!(1)));
    assert_eq!(told["silent"], json!([]));
    assert_eq!(told["certificates"][0]["source"], "default");
    let namespaces = told["namespaces"].as_array().unwrap();
    let alpha = namespaces
        .iter()
        .find(|namespace| namespace["name"] == "tool-alpha");
    assert_eq!(alpha.unwrap()["serverErrors"], 0);
    assert!(shown.contains("<td>tool-alpha</td>"), "{shown}");

    let dead_api = cluster.client.clone();
    cluster.stop().await;
    gateway
        .until_figures_say("toolforge_gateway_api_heard{resource=\"endpointslices\"} 0\n")
        .await;
    assert_eq!(gateway.status("alpha").await, 200, "the API is gone");
    let (told, shown) = gateway.overview().await;
    assert!(
        told["silent"]
            .as_array()
            .unwrap()
            .contains(&json!("endpointslices")),
        "{told}"
    );
    assert!(shown.contains("the last table is served"), "{shown}");
    gateway.stop().await;
    let gateway = Gateway::new(dead_api, last_table).await;
    assert_eq!(
        gateway.status("alpha").await,
        200,
        "the API is gone and the gateway starts"
    );
    assert_eq!(gateway.page("/readyz").await.0, 200, "it has something to serve");
    gateway.stop().await;
}

#[tokio::test]
async fn gateway_that_knows_nothing_is_not_ready() {
    let cluster = Cluster::new().await;
    let dead_api = cluster.client.clone();
    cluster.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::new(dead_api, folder.path().join("table.json")).await;
    let (status, reason) = gateway.page("/readyz").await;
    assert_eq!(status, 503);
    assert!(reason.contains("ingresses, services, endpointslices"), "{reason}");
    let (told, shown) = gateway.overview().await;
    assert_eq!(told["state"], "not ready");
    assert!(shown.contains("ingresses, services, endpointslices"), "{shown}");
    assert_eq!(gateway.page("/healthz").await.0, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn port_of_a_service_says_what_its_tool_speaks() {
    let (cluster, folder) = (Cluster::new().await, tempfile::tempdir().unwrap());
    let tool = h2c::tool(100, |_| async { text("over HTTP/2") }).await;
    cluster.create_namespace("tool-alpha").await;
    let h2c = Some("kubernetes.io/h2c");
    cluster.create_backend_speaking("tool-alpha", &tool, h2c).await;
    cluster
        .create_ingress("tool-alpha", "web", "alpha.toolforge.test")
        .await;
    let gateway = Gateway::new(cluster.client.clone(), folder.path().join("table.json")).await;
    gateway.until_status("alpha", 200).await;
    // The tool understands nothing else.
    let ports = json!([{ "name": "http", "port": 8000, "targetPort": 8000 }]);
    let patch = Patch::Merge(json!({ "spec": { "ports": ports } }));
    Api::<Service>::namespaced(cluster.client.clone(), "tool-alpha")
        .patch("web", &PatchParams::default(), &patch)
        .await
        .unwrap();
    gateway.until_status("alpha", 502).await;
    gateway.stop().await;
    cluster.stop().await;
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
