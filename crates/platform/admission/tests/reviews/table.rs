//! The table of adversarial cases of `toolforge-policy`, asked of the server over HTTPS.

#[path = "../../../../core/policy/tests/cases/table.rs"]
mod cases;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::api::api;
use crate::server::Guards;
use cases::{Case, Expected, Outcome, bases, tables};

/// How many cases are asked at once: those who are refused for their Pods wait for a look at the API, and share it.
const AT_ONCE: usize = 32;

/// The review of an object of a case as the API writes it; the object stays the text that it is. It is new, or takes the
/// place of another.
fn review(case: &Case, object: &str, old: Option<&Value>) -> String {
    let operation = if case.sub_resource.is_some() || old.is_some() {
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
        "oldObject": old,
    });
    if let Some(name) = &case.sub_resource {
        request["subResource"] = json!(name);
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
        .to_string()
        .replace("\"OBJECT\"", object)
}

/// What a guard answers, or that it was no review.
async fn response(guards: &Guards, path: &str, review: String) -> Result<Value, String> {
    let answer = guards.post(path, review).await;
    let status = answer.status();
    let body = answer.text().await.unwrap();
    if status == 400 {
        // Such as one with a key twice; the API never sends one.
        return Err(body);
    }
    assert_eq!(status, 200, "{body}");
    let response = serde_json::from_str::<Value>(&body).unwrap()["response"].take();
    let message = response["status"]["message"].as_str().unwrap_or_default();
    assert!(response["allowed"] == true || !message.is_empty(), "{response}");
    Ok(response)
}

/// Asks as the API does: a Pod is completed before its security is judged.
async fn outcome(guards: &Guards, case: &Case) -> Outcome {
    let asked = async {
        let mut object = case.body.clone();
        if case.guard == "pod" && case.kind.kind == "Pod" {
            let completed = response(guards, "/mutate/pod", review(case, &object, None)).await?;
            if completed["allowed"] != true {
                return Ok(completed);
            }
            object = patched(&object, &completed).to_string();
        }
        let path = format!("/validate/{}", case.guard);
        response(guards, &path, review(case, &object, None)).await
    };
    let response = match asked.await {
        Ok(response) => response,
        Err(message) => return unanswered(message),
    };
    if matches!(case.expected, Expected::Warned { .. }) {
        let warnings = response["warnings"].as_array().map_or(0, Vec::len);
        assert!(warnings > 0, "{}: {response}", case.name);
    }
    said(&response)
}

/// Asks whether what passes may become the object of a case.
async fn outcome_of_change(guards: &Guards, case: &Case, old: &Value) -> Outcome {
    let path = format!("/validate/{}", case.guard);
    match response(guards, &path, review(case, &case.body, Some(old))).await {
        Ok(response) => said(&response),
        Err(message) => unanswered(message),
    }
}

fn said(response: &Value) -> Outcome {
    let message = response["status"]["message"].as_str().unwrap_or_default();
    Outcome {
        allowed: response["allowed"] == true,
        message: message.to_owned(),
        ..Outcome::default()
    }
}

/// What came back was no review.
fn unanswered(message: String) -> Outcome {
    Outcome {
        message,
        ..Outcome::default()
    }
}

fn patched(object: &str, response: &Value) -> Value {
    let mut object = serde_json::from_str(object).unwrap();
    if let Some(patch) = response["patch"].as_str() {
        let patch = STANDARD.decode(patch).unwrap();
        let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
    }
    object
}

#[tokio::test]
async fn every_case_has_its_verdict_over_https_as_well() {
    let mut complaints = Vec::new();
    let bases = bases();
    for table in tables() {
        let guards = Guards::start_under(table.settings.resolve().unwrap(), api()).await;
        let outcomes = stream::iter(&table.cases).map(|case| outcome(&guards, case));
        let outcomes: Vec<Outcome> = outcomes.buffered(AT_ONCE).collect().await;
        for (case, outcome) in table.cases.iter().zip(&outcomes) {
            complaints.extend(case.complaint(table.file, outcome));
        }
        // What is wrong with the namespace cannot come of a change.
        let refused = |case: &&Case| {
            matches!(case.expected, Expected::Refused { .. }) && case.namespace == "tool-alpha"
        };
        let refused: Vec<&Case> = table.cases.iter().filter(refused).collect();
        let outcomes = stream::iter(&refused).map(|case| {
            let old = bases.values().find(|base| base["kind"] == case.kind.kind);
            outcome_of_change(&guards, case, old.expect("each kind has a base"))
        });
        let outcomes: Vec<Outcome> = outcomes.buffered(AT_ONCE).collect().await;
        for (case, outcome) in refused.iter().zip(&outcomes) {
            let complaint = case.complaint(table.file, outcome);
            complaints.extend(complaint.map(|text| format!("as a change: {text}")));
        }
    }
    assert!(
        complaints.is_empty(),
        "{}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
