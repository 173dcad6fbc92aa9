//! A running webhook server, and a client that asks it as Kubernetes does.

use std::net::SocketAddr;

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_admission::run;
use toolforge_pki::Authority;
use toolforge_policy::{Policies, PolicySettings};
use toolforge_serve::Presented;

/// A running webhook server and a client that trusts it.
pub(crate) struct Guards {
    /// Its host and port.
    pub(crate) address: SocketAddr,
    /// What trusts it, for clients of another kind.
    pub(crate) tls: ClientConfig,
    client: reqwest::Client,
    _running: DropGuard,
}

fn policies() -> Policies {
    let mut settings = PolicySettings::with("toolforge.org", "docker-registry.tools.wmflabs.org");
    settings.registries.push("tools-harbor.wmcloud.org".to_owned());
    settings.resolve().unwrap()
}

impl Guards {
    pub(crate) async fn start(api: Router) -> Self {
        Self::start_under(policies(), api).await
    }

    /// Guards of these policies.
    pub(crate) async fn start_under(policies: Policies, api: Router) -> Self {
        let authority = Authority::create("test authority").unwrap();
        let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
        let certificate = Presented::of(&identity).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let kube = kube::Client::new(api, "default");
        let process = toolforge_figures::Process::Own;
        tokio::spawn(run(
            kube,
            listener,
            certificate,
            policies,
            process,
            shutdown.clone(),
        ));
        let tls = toolforge_pki::client_config(authority.certificate_pem(), None).unwrap();
        let client = reqwest::Client::builder().use_preconfigured_tls(tls.clone());
        Self {
            address,
            tls,
            client: client.build().unwrap(),
            _running: shutdown.drop_guard(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("https://{}{path}", self.address);
        self.client.get(url).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        self.send(path, "application/json", body).await
    }

    /// Posts a body of this type.
    pub(crate) async fn send(
        &self,
        path: &str,
        kind: &str,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Response {
        let url = format!("https://{}{path}", self.address);
        let request = self.client.post(url).header("content-type", kind);
        request.body(body).send().await.unwrap()
    }

    /// The response part of the answer to a review; its uid is checked on the way.
    pub(crate) async fn ask(&self, path: &str, request: &Value) -> Value {
        let review =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let answer = self.post(path, review.to_string()).await;
        assert_eq!(answer.status(), 200);
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["response"]["uid"], request["uid"]);
        answer["response"].clone()
    }

    pub(crate) async fn admits(&self, path: &str, request: &Value) {
        let response = self.ask(path, request).await;
        assert_eq!(response["allowed"], true, "{response}");
    }

    /// The message of the refusal.
    pub(crate) async fn refuses(&self, path: &str, request: &Value) -> String {
        let response = self.ask(path, request).await;
        assert_eq!(response["allowed"], false, "{response}");
        assert_eq!(response["status"]["code"], 403, "{response}");
        response["status"]["message"].as_str().unwrap().to_owned()
    }
}
