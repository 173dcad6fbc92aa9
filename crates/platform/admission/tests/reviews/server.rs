//! A running webhook server, and a client that asks it as Kubernetes does.

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_admission::run;
use toolforge_pki::Authority;
use toolforge_policy::{Policies, PolicySettings};
use toolforge_serve::Presented;

/// A running webhook server and a client that trusts it.
pub(crate) struct Guards {
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    shutdown: CancellationToken,
}

impl Drop for Guards {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn policies() -> Policies {
    let mut settings = PolicySettings::with("toolforge.org", "docker-registry.tools.wmflabs.org");
    settings.registries.push("tools-harbor.wmcloud.org".to_owned());
    settings.resolve().unwrap()
}

impl Guards {
    pub(crate) async fn start(api: Router) -> Self {
        let authority = Authority::create("test authority").unwrap();
        let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
        let certificate = Presented::of(&identity).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let kube = kube::Client::new(api, "default");
        tokio::spawn(run(kube, listener, certificate, policies(), shutdown.clone()));
        let trust = reqwest::Certificate::from_pem(authority.certificate_pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .use_rustls_tls()
            .add_root_certificate(trust)
            .build()
            .unwrap();
        Self {
            url,
            client,
            shutdown,
        }
    }

    pub(crate) async fn post(&self, path: &str, body: String) -> reqwest::Response {
        self.client
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap()
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
