//! Webservices outside of Kubernetes, from their registration to visitors: without an API, and over a restart.

use std::{net::SocketAddr, num::NonZeroUsize, path::Path, sync::Arc};

use kube::Client;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::watch,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use toolforge_gateway::{Config, Drain, GatewaySettings, RegistrationDoors, Succession, run};
use toolforge_pki::Authority;
use toolforge_policy::IngressPolicy;

use crate::scene::{DEADLINE, DOMAIN, LOOK_AGAIN, listener, refusing};

const SETTINGS: &str = "registrations: { destinationNetworks: [127.0.0.1/32], listNetworks: [127.0.0.1/32], \
                        checkIntervalSeconds: 1 }";
const LEGACY: &str = "tools.test";

/// A gateway in whose folder things stay.
struct Gateway {
    https: SocketAddr,
    api: SocketAddr,
    list: SocketAddr,
    status: SocketAddr,
    web: Arc<Authority>,
    cluster: Arc<Authority>,
    served: JoinHandle<()>,
}

impl Gateway {
    async fn new(folder: &Path, web: Arc<Authority>, cluster: Arc<Authority>) -> Self {
        let (_socket, nobody) = refusing();
        let client =
            Client::try_from(kube::Config::new(format!("http://{nobody}").parse().unwrap())).unwrap();
        let [https, api, list, status] = [
            listener().await,
            listener().await,
            listener().await,
            listener().await,
        ];
        let addresses = [&https, &api, &list, &status].map(|listener| listener.local_addr().unwrap());
        let rules = GatewaySettings::read(SETTINGS).unwrap().resolve().unwrap();
        let (_, followed) = watch::channel(Arc::new(rules));
        let domains = vec![DOMAIN.parse().unwrap()];
        let policy = IngressPolicy::new(domains, "toolforge", []).unwrap();
        let names = [format!("*.{DOMAIN}"), LEGACY.to_owned()];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let config = Config {
            policy: policy.with_legacy_hosts(vec![LEGACY.parse().unwrap()]).into(),
            http: None,
            workers: NonZeroUsize::MIN,
            status: Some(status),
            process: toolforge_figures::Process::Own,
            https,
            public_https_port: addresses[0].port(),
            identity: web.issue_server(&names).unwrap(),
            identity_files: None,
            last_table: folder.join("table.json"),
            published: None,
            rules: Some(followed),
            registrations: Some(RegistrationDoors {
                file: folder.join("registrations.json"),
                lines: None,
                api: Some((api, cluster.certificate_pem().to_owned())),
                list: Some(list),
                own: Vec::new(),
            }),
            drain: Drain::quick(),
            succession: Succession::default(),
        };
        let served =
            tokio::spawn(async move { run(client, config, CancellationToken::new()).await.unwrap() });
        Self {
            https: addresses[0],
            api: addresses[1],
            list: addresses[2],
            status: addresses[3],
            web,
            cluster,
            served,
        }
    }

    async fn killed_and_started(self, folder: &Path) -> Self {
        self.served.abort();
        let _ = self.served.await;
        Self::new(folder, self.web, self.cluster).await
    }

    fn client(&self, identity: Option<&toolforge_pki::Identity>) -> reqwest::Client {
        let tls = toolforge_pki::client_config(self.web.certificate_pem(), identity).unwrap();
        let hosts = ["alpha", "beta", "register"].map(|name| format!("{name}.{DOMAIN}"));
        let mut builder = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(DEADLINE);
        for host in hosts.iter().map(String::as_str).chain([LEGACY]) {
            builder = builder.resolve(host, self.https);
        }
        builder.build().unwrap()
    }

    /// Asks the API as a tool, and answers the status.
    async fn ask_api(&self, tool: &str, method: Method, path: &str, body: &str) -> StatusCode {
        let identity = self.cluster.issue_client(tool, &["toolforge"]).unwrap();
        let url = format!("https://register.{DOMAIN}:{}{path}", self.api.port());
        let request = self.client(Some(&identity)).request(method, url);
        request.body(body.to_owned()).send().await.unwrap().status()
    }

    /// What a visitor gets.
    async fn visit(&self, host: &str, path: &str) -> reqwest::Response {
        let url = format!("https://{host}:{}{path}", self.https.port());
        self.client(None).get(url).send().await.unwrap()
    }

    async fn until_status(&self, host: &str, status: u16) {
        let looking = async {
            while self.visit(host, "/").await.status() != status {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(DEADLINE, looking)
            .await
            .expect("the status came");
    }

    async fn plain(&self, address: SocketAddr, path: &str) -> String {
        let response = self
            .client(None)
            .get(format!("http://{address}{path}"))
            .send()
            .await;
        response.unwrap().text().await.unwrap()
    }
}

/// A webservice on a machine of its own.
async fn webservice() -> (SocketAddr, JoinHandle<()>) {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nservice-worker-allowed: /\r\n\
                    connection: close\r\n\r\nok";
                let _ = stream.write_all(answer).await;
            });
        }
    });
    (address, serving)
}

#[tokio::test]
async fn a_registered_webservice_is_visited_also_after_the_gateway_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let authority = |name: &str| Arc::new(Authority::create(name).unwrap());
    let gateway = Gateway::new(folder.path(), authority("web"), authority("cluster")).await;
    let alpha = format!("alpha.{DOMAIN}");
    assert_eq!(gateway.visit(&alpha, "/").await.status(), 404);
    let (address, webservice) = webservice().await;
    let body = json!({"destination": format!("http://{}", address), "redirectSharedHosts": true}).to_string();
    let path = format!("/v1/tools/alpha/hosts/{alpha}/");
    let on_shared = json!({"destination": format!("http://{address}")}).to_string();
    assert_eq!(gateway.ask_api("beta", Method::PUT, &path, &body).await, 403);
    assert_eq!(gateway.ask_api("alpha", Method::PUT, &path, &body).await, 201);
    gateway.until_status(&alpha, 200).await;
    // Shared hosts lead to the tool's own, as in the original.
    let moved = gateway.visit(LEGACY, "/alpha/a/b?c=d").await;
    let expected = format!("https://{alpha}:{}/a/b?c=d", gateway.https.port());
    assert_eq!(
        (
            moved.status().as_u16(),
            moved.headers()["location"].to_str().unwrap()
        ),
        (307, &*expected)
    );
    // Served on such a host, no tool has its scripts in the place of others.
    let shared = format!("/v1/tools/alpha/hosts/{LEGACY}/alpha/shared");
    assert_eq!(
        gateway.ask_api("alpha", Method::PUT, &shared, &on_shared).await,
        201
    );
    let may_take_all = |answer: &reqwest::Response| {
        assert_eq!(answer.status(), 200);
        answer.headers().contains_key("service-worker-allowed")
    };
    assert!(!may_take_all(&gateway.visit(LEGACY, "/alpha/shared").await));
    assert!(may_take_all(&gateway.visit(&alpha, "/").await));
    assert_eq!(
        gateway.plain(gateway.list, "/list").await,
        r#"{"alpha":{"status":"active"}}"#
    );
    let figures = gateway.plain(gateway.status, "/metrics").await;
    assert!(
        figures.contains("toolforge_gateway_registration_events_total{event=\"registered\"} 2"),
        "{figures}"
    );
    assert!(
        figures.contains("toolforge_gateway_requests_total{namespace=\"tool-alpha\",code=\"2xx\"}"),
        "{figures}"
    );
    // The gateway itself is no webservice.
    for own in [gateway.https, gateway.api, gateway.list, gateway.status] {
        let body = json!({"destination": format!("http://{own}")}).to_string();
        assert_eq!(gateway.ask_api("alpha", Method::PUT, &path, &body).await, 422);
    }
    let gateway = gateway.killed_and_started(folder.path()).await;
    assert_eq!(gateway.visit(&alpha, "/").await.status(), 200);
    // Dead it is not asked, and its visitors are told so.
    webservice.abort();
    gateway.until_status(&alpha, 503).await;
    assert_eq!(gateway.ask_api("alpha", Method::DELETE, &path, "").await, 204);
    gateway.until_status(&alpha, 404).await;
}
