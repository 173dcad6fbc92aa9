//! The table of adversarial cases of `toolforge-policy`, asked of the server over HTTPS.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../../../core/policy/tests/cases/table.rs"]
mod cases;

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_admission::run;
use toolforge_pki::Authority;
use toolforge_policy::PolicySettings;
use toolforge_serve::Presented;

use cases::{Case, Expected, Outcome, tables};

/// A server under these settings, and a client that trusts it.
async fn start(settings: &PolicySettings, shutdown: CancellationToken) -> (String, reqwest::Client) {
    let authority = Authority::create("test authority").unwrap();
    let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
    let certificate = Presented::of(&identity).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let kube = kube::Client::new(Router::new(), "default");
    tokio::spawn(run(
        kube,
        listener,
        certificate,
        settings.resolve().unwrap(),
        shutdown,
    ));
    let trust = reqwest::Certificate::from_pem(authority.certificate_pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .use_rustls_tls()
        .add_root_certificate(trust);
    (url, client.build().unwrap())
}

/// The review of a case as the API writes it; the object stays the text that it is.
fn review(case: &Case) -> String {
    let operation = if case.sub_resource.is_some() {
        "UPDATE"
    } else {
        "CREATE"
    };
    let mut request = json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": case.kind.group, "version": case.kind.version, "kind": case.kind.kind},
        "namespace": case.namespace,
        "operation": operation,
        "userInfo": {"username": case.writer, "groups": ["toolforge", "system:authenticated"]},
        "object": "OBJECT",
    });
    if let Some(name) = &case.sub_resource {
        request["subResource"] = json!(name);
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
        .to_string()
        .replace("\"OBJECT\"", &case.body)
}

async fn outcome(url: &str, client: &reqwest::Client, case: &Case) -> Outcome {
    let address = format!("{url}/validate/{}", case.guard);
    let answer = client
        .post(address)
        .header("content-type", "application/json")
        .body(review(case))
        .send()
        .await
        .unwrap();
    let status = answer.status();
    let body = answer.text().await.unwrap();
    if status == 400 {
        // No review at all, such as one with a key twice; the API never sends one.
        return Outcome {
            message: body,
            ..Outcome::default()
        };
    }
    assert_eq!(status, 200, "{body}");
    let response = serde_json::from_str::<Value>(&body).unwrap()["response"].take();
    let message = response["status"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(response["allowed"] == true || !message.is_empty(), "{response}");
    if matches!(case.expected, Expected::Warned { .. }) {
        let warnings = response["warnings"].as_array().map_or(0, Vec::len);
        assert!(warnings > 0, "{}: {response}", case.name);
    }
    Outcome {
        allowed: response["allowed"] == true,
        message,
        ..Outcome::default()
    }
}

#[tokio::test]
async fn every_case_has_its_verdict_over_https_as_well() {
    let mut complaints = Vec::new();
    for table in tables() {
        let shutdown = CancellationToken::new();
        let (url, client) = start(&table.settings, shutdown.clone()).await;
        for case in &table.cases {
            let outcome = outcome(&url, &client, case).await;
            complaints.extend(case.complaint(table.file, &outcome));
        }
        shutdown.cancel();
    }
    assert!(
        complaints.is_empty(),
        "{}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
