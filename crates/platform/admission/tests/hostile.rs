//! What somebody who means harm, or does not know what they do, can send to the webhook server: always a refusal with a
//! reason, never a crash, and afterwards it answers as before.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_pki::Authority;
use toolforge_policy::PolicySettings;
use toolforge_serve::Presented;

/// A running server, whose API is down.
struct Server {
    url: String,
    client: reqwest::Client,
    authority: Authority,
    _running: DropGuard,
}

impl Server {
    async fn start() -> Self {
        let authority = Authority::create("test authority").unwrap();
        let certificate = Presented::of(&authority.issue_server(&["127.0.0.1"]).unwrap()).unwrap();
        let policies = PolicySettings::with("toolforge.org", "r.example")
            .resolve()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let down = axum::Router::new().fallback(async || StatusCode::INTERNAL_SERVER_ERROR);
        let api = kube::Client::new(down, "default");
        tokio::spawn(toolforge_admission::run(
            api,
            listener,
            certificate,
            policies,
            shutdown.clone(),
        ));
        let tls = toolforge_pki::client_config(authority.certificate_pem(), None).unwrap();
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .build()
            .unwrap();
        Self {
            url,
            client,
            authority,
            _running: shutdown.drop_guard(),
        }
    }

    async fn send(&self, kind: &'static str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let request = self.client.post(format!("{}/validate/ingress", self.url));
        let answer = request
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, String) {
        self.send("application/json", body).await
    }

    /// The message of a refusal in an `AdmissionReview`.
    async fn refused(&self, body: String) -> String {
        let (status, text) = self.post(body).await;
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["response"]["allowed"], false, "{answer}");
        answer["response"]["status"]["message"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn still_answers(&self) {
        let (status, text) = self
            .post(review("v1", &ingress("alpha.toolforge.org")).to_string())
            .await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (status, &answer["response"]["allowed"]),
            (200, &json!(true)),
            "{answer}"
        );
    }

    async fn metrics(&self) -> String {
        let answer = self
            .client
            .get(format!("{}/metrics", self.url))
            .send()
            .await
            .unwrap();
        answer.text().await.unwrap()
    }
}

fn ingress(host: &str) -> Value {
    json!({"metadata": {"name": "a"}, "spec": {"rules": [{"host": host}]}})
}

fn review(version: &str, object: &Value) -> Value {
    json!({
        "apiVersion": format!("admission.k8s.io/{version}"),
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": {"group": "networking.k8s.io", "version": "v1", "kind": "Ingress"},
            "namespace": "tool-alpha",
            "operation": "CREATE",
            "object": object,
        },
    })
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_refused_wherever_it_is() {
    let server = Server::start().await;
    let good = review("v1", &ingress("HOST")).to_string();
    let twice = good.replace(
        r#""host":"HOST""#,
        r#""host":"evil.example","host":"alpha.toolforge.org""#,
    );
    let message = server.refused(twice).await;
    assert!(message.contains(r#"the key "host" is there twice"#), "{message}");
    let outside = good.replace(
        r#""namespace":"tool-alpha""#,
        r#""namespace":"kube-system","namespace":"tool-alpha""#,
    );
    let message = server.refused(outside).await;
    assert!(message.contains(r#""namespace""#), "{message}");
    server.still_answers().await;
}

#[tokio::test]
async fn what_is_no_review_is_answered_with_the_reason() {
    let server = Server::start().await;
    let without = |field: &str| {
        let mut review = review("v1", &ingress("alpha.toolforge.org"));
        review["request"].as_object_mut().unwrap().remove(field);
        review.to_string()
    };
    for (body, reason) in [
        (String::new(), "empty"),
        ("{".to_owned(), "JSON"),
        ("[".repeat(1 << 20), "recursion limit"),
        (
            format!(
                "{{\"request\": {{\"object\": {}1{}}}}}",
                "[".repeat(300),
                "]".repeat(300)
            ),
            "recursion",
        ),
        (without("uid"), "uid"),
        (without("operation"), "operation"),
        (without("kind"), "kind"),
        (review("v2", &json!({})).to_string(), "v2"),
        (json!({"kind": "Pod", "apiVersion": "v1"}).to_string(), "Pod"),
        ("\u{0}".to_owned(), "JSON"),
    ] {
        let (status, text) = server.post(body.clone()).await;
        assert_eq!(status, 400, "{text}");
        assert!(text.contains(reason), "{reason} in {text}");
    }
    for (body, reason) in [
        (without("object"), "no object"),
        (without("namespace"), "no namespace"),
        (
            review("v1", &ingress("alpha.toolforge.org"))
                .to_string()
                .replace("\"Ingress\"", "\"Pod\""),
            "Unsupported",
        ),
        (review("v1", &json!({"spec": 7})).to_string(), "cannot be judged"),
        (review("v1", &json!([1])).to_string(), "no object"),
    ] {
        let message = server.refused(body).await;
        assert!(message.contains(reason), "{reason} in {message}");
    }
    server.still_answers().await;
    let metrics = server.metrics().await;
    assert!(
        metrics.contains(r#"toolforge_admission_unreadable_requests_total{reason="json"}"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn bodies_have_a_type_and_an_end() {
    let server = Server::start().await;
    let good = review("v1", &ingress("alpha.toolforge.org")).to_string();
    assert_eq!(server.send("text/plain", good.clone()).await.0, 415);
    assert_eq!(server.send("application/json; charset=utf-8", good).await.0, 200);
    assert_eq!(server.post(vec![b' '; (8 << 20) + 1]).await.0, 413);
    server.still_answers().await;
}

#[tokio::test]
async fn two_objects_of_three_megabytes_are_judged() {
    let server = Server::start().await;
    let mut large = ingress("evil.example");
    large["metadata"]["annotations"] = json!({"note": "x".repeat(3 << 20)});
    let mut review = review("v1", &large);
    review["request"]["operation"] = json!("UPDATE");
    large["spec"] = json!({});
    review["request"]["oldObject"] = large;
    let message = server.refused(review.to_string()).await;
    assert!(message.contains("evil.example"), "{message}");
}

#[tokio::test]
async fn an_answer_has_the_version_of_the_question_and_its_rules_for_the_audit_log() {
    let server = Server::start().await;
    for version in ["v1", "v1beta1"] {
        let (_, text) = server
            .post(review(version, &ingress("evil.example")).to_string())
            .await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["apiVersion"], format!("admission.k8s.io/{version}"));
        let response = &answer["response"];
        assert_eq!(response["uid"], "u-1");
        assert_eq!(response["status"]["code"], 403);
        assert_eq!(response["status"]["reason"], "Forbidden");
        assert_eq!(
            response["auditAnnotations"]["rules"], "ingress/host",
            "{response}"
        );
    }
    let metrics = server.metrics().await;
    for line in [
        r#"toolforge_admission_reviews_total{guard="ingress",operation="create",verdict="refused"} 2"#,
        r#"toolforge_admission_review_duration_seconds_count{guard="ingress"} 2"#,
        "toolforge_admission_certificate_expiry_timestamp_seconds ",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

/// A body that comes byte by byte, and never whole, is cut off; others are answered meanwhile.
#[tokio::test]
async fn who_sends_slowly_holds_nobody_up() {
    let server = Server::start().await;
    let address = server.url.strip_prefix("https://").unwrap();
    let tls = toolforge_pki::client_config(server.authority.certificate_pem(), None).unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = connector
        .connect("127.0.0.1".try_into().unwrap(), stream)
        .await
        .unwrap();
    let head = "POST /validate/ingress HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    server.still_answers().await;
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_string(&mut answer));
    // It may end without the farewell of TLS; what counts is what came before.
    let _ = read.await.expect("cut off");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

/// More than the server has places for connections.
const HELD: usize = 1100;

#[tokio::test]
async fn who_holds_more_connections_than_there_are_does_not_keep_the_api_out() {
    let server = Server::start().await;
    let address = server.url.trim_start_matches("https://").to_owned();
    let mut held = Vec::new();
    for _ in 0..HELD {
        held.push(TcpStream::connect(&address).await.unwrap());
    }
    // An API gives a webhook ten seconds; silence alone would hold a place for thirty.
    let object = ingress("x.toolforge.org.evil.com");
    let body = review("v1", &object).to_string();
    let refused = tokio::time::timeout(Duration::from_secs(10), server.refused(body)).await;
    let refused = refused.expect("the API is answered");
    assert!(refused.contains("x.toolforge.org.evil.com"), "{refused}");
}
