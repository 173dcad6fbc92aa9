//! The table of adversarial cases of `toolforge-policy`, asked of the server over HTTPS.

#[path = "../../../../core/policy/tests/cases/table.rs"]
mod cases;

use serde_json::{Value, json};

use crate::api::no_api;
use crate::server::Guards;
use cases::{Case, Expected, Outcome, tables};

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

async fn outcome(guards: &Guards, case: &Case) -> Outcome {
    let answer = guards
        .post(&format!("/validate/{}", case.guard), review(case))
        .await;
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
        let guards = Guards::start_under(table.settings.resolve().unwrap(), no_api()).await;
        for case in &table.cases {
            let outcome = outcome(&guards, case).await;
            complaints.extend(case.complaint(table.file, &outcome));
        }
    }
    assert!(
        complaints.is_empty(),
        "{}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
