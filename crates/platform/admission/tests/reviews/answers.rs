//! What is answered when there is no question, no account or no API.

use serde_json::{Value, json};

use crate::api::{api, no_api};
use crate::requests::{GOOD, INGRESS, ingress, pod, request, with_image};
use crate::server::Guards;

#[tokio::test]
async fn nonsense_is_answered_with_a_sentence_and_the_server_stays_up() {
    let guards = Guards::start(api()).await;
    let review = |request: &Value| {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
            .to_string()
    };
    for path in [
        "/validate/ingress",
        "/validate/images",
        "/validate/pod",
        "/validate/service",
        "/validate/endpoints",
        "/validate/volumes",
        "/mutate/volumes",
        "/mutate/pod",
    ] {
        for body in [
            String::new(),
            "{".to_owned(),
            "{}".to_owned(),
            review(&Value::Null),
            "[".repeat(1 << 20),
        ] {
            let answer = guards.post(path, body).await;
            assert_eq!(answer.status(), 400);
            assert!(answer.text().await.unwrap().contains("AdmissionReview"));
        }
        let message = guards
            .refuses(path, &request(("", "v1", "Secret"), "tool-alpha", &json!({})))
            .await;
        assert!(message.contains("Unsupported Kind=Secret"), "{message}");
        guards.refuses(path, &request(INGRESS, "", &json!({}))).await;
        guards
            .refuses(path, &request(INGRESS, "tool-alpha", &Value::Null))
            .await;
    }
    guards
        .refuses("/validate/ingress", &ingress("abc", &["abc.toolforge.org"]))
        .await;
    let wrong_shape = request(INGRESS, "tool-alpha", &json!({"spec": {"rules": "all"}}));
    let message = guards.refuses("/validate/ingress", &wrong_shape).await;
    assert!(message.contains("cannot be judged"), "{message}");
    let huge = guards.post("/validate/ingress", "x".repeat(9 << 20)).await;
    assert_eq!(huge.status(), 413);
    guards
        .admits(
            "/validate/ingress",
            &ingress("tool-alpha", &["alpha.toolforge.org"]),
        )
        .await;
}

#[tokio::test]
async fn an_account_that_is_not_there_yet_is_a_reason_to_ask_again() {
    let guards = Guards::start(api()).await;
    let response = guards
        .ask("/mutate/pod", &pod("tool-unready", &with_image(GOOD)))
        .await;
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 503);
    assert!(
        response["status"]["message"]
            .as_str()
            .unwrap()
            .contains("toolforge.org/uid"),
        "{response}"
    );
    let message = guards
        .refuses("/mutate/pod", &pod("tool-nobody", &with_image(GOOD)))
        .await;
    assert!(message.contains("does not exist"), "{message}");
    guards
        .refuses("/mutate/pod", &pod("default", &with_image(GOOD)))
        .await;
}

#[tokio::test]
async fn without_an_api_the_other_guards_still_answer() {
    let guards = Guards::start(no_api()).await;
    guards
        .admits(
            "/validate/ingress",
            &ingress("tool-alpha", &["alpha.toolforge.org"]),
        )
        .await;
    let response = guards
        .ask("/mutate/pod", &pod("tool-alpha", &with_image(GOOD)))
        .await;
    assert_eq!(response["status"]["code"], 503);
    assert_eq!(guards.get("/livez").await.status(), 200);
    assert_eq!(guards.get("/readyz").await.status(), 503);
}

#[tokio::test]
async fn is_ready_once_the_accounts_are_known() {
    let guards = Guards::start(api()).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while guards.get("/readyz").await.status() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "never ready");
        tokio::task::yield_now().await;
    }
}
