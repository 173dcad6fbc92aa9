//! What somebody who means harm, or does not know what they do, can send to the webhook server: always a refusal with a
//! reason, never a crash, and afterwards it answers as before.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::api::no_api;
use crate::server::Guards;

/// Where all of it is sent.
const PATH: &str = "/validate/ingress";

async fn start() -> Guards {
    Guards::start(no_api()).await
}

async fn send(guards: &Guards, kind: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
    let answer = guards.send(PATH, kind, body).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn post(guards: &Guards, body: impl Into<reqwest::Body>) -> (u16, String) {
    send(guards, "application/json", body).await
}

/// The message of a refusal in an `AdmissionReview`.
async fn refused(guards: &Guards, body: String) -> String {
    let (status, text) = post(guards, body).await;
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["response"]["allowed"], false, "{answer}");
    let message = answer["response"]["status"]["message"].as_str();
    message.unwrap().to_owned()
}

async fn still_answers(guards: &Guards) {
    let good = review("v1", &ingress("alpha.toolforge.org")).to_string();
    let (status, text) = post(guards, good).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["response"]["allowed"], true, "{answer}");
}

async fn metrics(guards: &Guards) -> String {
    guards.get("/metrics").await.text().await.unwrap()
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
    let guards = start().await;
    let good = review("v1", &ingress("HOST")).to_string();
    let twice = good.replace(
        r#""host":"HOST""#,
        r#""host":"evil.example","host":"alpha.toolforge.org""#,
    );
    let message = refused(&guards, twice).await;
    assert!(message.contains(r#"the key "host" is there twice"#), "{message}");
    let outside = good.replace(
        r#""namespace":"tool-alpha""#,
        r#""namespace":"kube-system","namespace":"tool-alpha""#,
    );
    let message = refused(&guards, outside).await;
    assert!(message.contains(r#""namespace""#), "{message}");
    still_answers(&guards).await;
}

#[tokio::test]
async fn what_is_no_review_is_answered_with_the_reason() {
    let guards = start().await;
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
        let (status, text) = post(&guards, body.clone()).await;
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
        let message = refused(&guards, body).await;
        assert!(message.contains(reason), "{reason} in {message}");
    }
    still_answers(&guards).await;
    let metrics = metrics(&guards).await;
    assert!(
        metrics.contains(r#"toolforge_admission_unreadable_requests_total{reason="json"}"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn bodies_have_a_type_and_an_end() {
    let guards = start().await;
    let good = review("v1", &ingress("alpha.toolforge.org")).to_string();
    assert_eq!(send(&guards, "text/plain", good.clone()).await.0, 415);
    assert_eq!(
        send(&guards, "application/json; charset=utf-8", good).await.0,
        200
    );
    assert_eq!(post(&guards, vec![b' '; (8 << 20) + 1]).await.0, 413);
    still_answers(&guards).await;
}

#[tokio::test]
async fn two_objects_of_three_megabytes_are_judged() {
    let guards = start().await;
    let mut large = ingress("evil.example");
    large["metadata"]["annotations"] = json!({"note": "x".repeat(3 << 20)});
    let mut review = review("v1", &large);
    review["request"]["operation"] = json!("UPDATE");
    large["spec"] = json!({});
    review["request"]["oldObject"] = large;
    let message = refused(&guards, review.to_string()).await;
    assert!(message.contains("evil.example"), "{message}");
}

#[tokio::test]
async fn an_answer_has_the_version_of_the_question_and_its_rules_for_the_audit_log() {
    let guards = start().await;
    for version in ["v1", "v1beta1"] {
        let (_, text) = post(&guards, review(version, &ingress("evil.example")).to_string()).await;
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
    let metrics = metrics(&guards).await;
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
    let guards = start().await;
    let connector = TlsConnector::from(Arc::new(guards.tls.clone()));
    let stream = TcpStream::connect(guards.address).await.unwrap();
    let mut stream = connector
        .connect("127.0.0.1".try_into().unwrap(), stream)
        .await
        .unwrap();
    let head = "POST /validate/ingress HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    still_answers(&guards).await;
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
    let guards = start().await;
    let mut held = Vec::new();
    for _ in 0..HELD {
        held.push(TcpStream::connect(guards.address).await.unwrap());
    }
    // An API gives a webhook ten seconds; silence alone would hold a place for thirty.
    let object = ingress("x.toolforge.org.evil.com");
    let body = review("v1", &object).to_string();
    let refused = tokio::time::timeout(Duration::from_secs(10), refused(&guards, body)).await;
    let refused = refused.expect("the API is answered");
    assert!(refused.contains("x.toolforge.org.evil.com"), "{refused}");
}
