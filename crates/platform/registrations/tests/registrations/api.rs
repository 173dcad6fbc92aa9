//! The API: who may do what, and what is wrong.

use reqwest::Method;
use serde_json::json;
use toolforge_pki::Authority;

use crate::scene::{Scene, server};

const OWN: &str = "/v1/tools/alpha/hosts/alpha.toolforge.test/api";

#[tokio::test]
async fn a_tool_registers_sees_and_takes_back() {
    let scene = Scene::new().await;
    let (address, _server) = server("").await;
    let body = Some(json!({"destination": format!("http://{address}")}));
    let made = scene.ask_as("alpha", Method::PUT, OWN, body.clone()).await;
    assert_eq!(
        (made.status, made.location.as_deref()),
        (201, Some(OWN)),
        "{made:?}"
    );
    assert_eq!(made.json["claim"]["path"]["path"], "/api");
    assert_eq!(
        (&made.json["state"], &made.json["registeredAt"]),
        (&json!("unchecked"), &json!("1970-01-12T13:46:40Z"))
    );
    assert_eq!(
        scene.ask_as("alpha", Method::PUT, OWN, body.clone()).await.status,
        200
    );
    assert_eq!(scene.led_to("alpha"), [address]);
    let pattern = "/v1/tools/alpha/patterns/.%2A";
    let made = scene.ask_as("alpha", Method::PUT, pattern, body).await;
    assert_eq!((made.status, &made.json["url"]), (201, &json!(pattern)));
    let all = scene
        .ask_as("alpha", Method::GET, "/v1/registrations", None)
        .await;
    assert_eq!(all.json["registrations"].as_array().unwrap().len(), 2);
    assert_eq!(
        scene.ask_as("alpha", Method::GET, OWN, None).await.json["url"],
        OWN
    );
    assert_eq!(scene.ask_as("alpha", Method::DELETE, OWN, None).await.status, 204);
    // By lines it is the same registration.
    assert_eq!(scene.send("unregister\n.*\n").await, "ok");
    let gone = scene.ask_as("alpha", Method::DELETE, pattern, None).await;
    assert_eq!(
        (gone.status, gone.content_type.as_str()),
        (404, "application/problem+json")
    );
}

#[tokio::test]
async fn nobody_touches_what_is_anothers() {
    let scene = Scene::new().await;
    let (address, _server) = server("").await;
    let body = Some(json!({"destination": format!("http://{address}")}));
    scene.register("tools.alpha", address).await;
    let pattern = "/v1/tools/alpha/patterns/.%2A";
    for (name, group, status) in [
        ("beta", "toolforge", 403),
        ("alpha", "else", 403),
        ("Alpha", "toolforge", 403),
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = scene.ask(name, group, method, pattern, body.clone()).await;
            assert_eq!(answer.status, status, "{name} {group} {answer:?}");
        }
    }
    for path in [pattern, "/v1/registrations", "/v1/tools/alpha/registrations"] {
        let answer = scene.ask_with(None, Method::GET, path, None).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.json["detail"].as_str().unwrap().contains("client.crt"));
    }
    // A certificate of another authority does not even get through the handshake.
    let stranger = Authority::create("stranger")
        .unwrap()
        .issue_client("alpha", &["toolforge"])
        .unwrap();
    assert!(
        scene
            .try_to_ask(Some(&stranger), Method::GET, pattern, None)
            .await
            .is_err()
    );
    // An operator sees and removes, and does not register for others.
    let operator =
        |method, path: &'static str| scene.ask("admin", "system:masters", method, path, body.clone());
    let all = operator(Method::GET, "/v1/registrations").await;
    assert_eq!(all.json["registrations"][0]["tool"], "alpha");
    assert_eq!(
        operator(Method::PUT, "/v1/tools/alpha/patterns/.%2A")
            .await
            .status,
        403
    );
    assert_eq!(
        operator(Method::DELETE, "/v1/tools/alpha/patterns/.%2A")
            .await
            .status,
        204
    );
    assert!(scene.routed.borrow().is_empty());
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_with_field_rule_and_way_out() {
    let scene = Scene::new().await;
    let good = json!({"destination": "http://127.0.0.1:4000"});
    for (path, body, status, rules) in [
        (
            "/v1/tools/alpha/hosts/beta.toolforge.test/",
            good.clone(),
            422,
            &["host/own"][..],
        ),
        (
            "/v1/tools/alpha/hosts/tools.test/beta",
            good.clone(),
            422,
            &["path/own"],
        ),
        (
            "/v1/tools/alpha/hosts/alpha.toolforge.test/a%2Fb%20c",
            good.clone(),
            422,
            &["path/syntax"],
        ),
        (
            "/v1/tools/alpha/patterns/%28",
            good.clone(),
            422,
            &["pattern/syntax"],
        ),
        (
            OWN,
            json!({"destination": "http://127.0.0.1:80"}),
            422,
            &["destination/port"],
        ),
        (
            OWN,
            json!({"destination": "http://169.254.169.254:8000"}),
            422,
            &["destination/closed"],
        ),
        (
            OWN,
            json!({"destination": format!("http://{}", scene.api)}),
            422,
            &["destination/own"],
        ),
        (
            "/v1/tools/alpha/hosts/beta.toolforge.test/",
            json!({"destination": "x", "checkPath": "y"}),
            422,
            &["host/own", "destination/scheme", "checkPath/syntax"],
        ),
        (
            OWN,
            json!({"destination": "http://127.0.0.1:4000", "more": 1}),
            400,
            &[],
        ),
        (OWN, json!("x".repeat(5000)), 413, &[]),
        ("/v1/else", good.clone(), 404, &[]),
        ("/v1/registrations", good, 405, &[]),
    ] {
        let answer = scene.ask_as("alpha", Method::PUT, path, Some(body)).await;
        assert_eq!(
            (answer.status, answer.rules().as_slice()),
            (status, rules),
            "{path} {answer:?}"
        );
        assert_eq!(answer.content_type, "application/problem+json", "{path}");
        for error in answer.json["errors"].as_array().into_iter().flatten() {
            assert!(
                ["field", "problem", "wayOut"]
                    .iter()
                    .all(|key| !error[key].as_str().unwrap().is_empty())
            );
        }
    }
    assert!(scene.routed.borrow().is_empty());
}

#[tokio::test]
async fn a_tool_has_only_so_many() {
    let scene = Scene::new().await;
    let body = Some(json!({"destination": "http://127.0.0.1:4000"}));
    for number in 0..16 {
        let path = format!("/v1/tools/alpha/patterns/{number}");
        assert_eq!(
            scene
                .ask_as("alpha", Method::PUT, &path, body.clone())
                .await
                .status,
            201
        );
    }
    let answer = scene.ask_as("alpha", Method::PUT, OWN, body.clone()).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(
        scene
            .ask_as("alpha", Method::PUT, "/v1/tools/alpha/patterns/0", body)
            .await
            .status,
        200
    );
}
