//! The list, as the original's (facts 5.2).

use reqwest::Method;
use toolforge_registrations::RegistrationSettings;

use crate::scene::{DEADLINE, Scene, server, settings};

async fn ask(scene: &Scene, method: Method, path: &str) -> (u16, String) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(DEADLINE)
        .build()
        .unwrap();
    let asking = client.request(method, format!("http://{}{path}", scene.list));
    let response = asking.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn tools_that_have_registered_are_active() {
    let scene = Scene::new().await;
    assert_eq!(ask(&scene, Method::GET, "/list").await, (200, "{}".to_owned()));
    let (address, _server) = server("").await;
    scene.register("tools.beta", address).await;
    scene.register("tools.alpha", address).await;
    let list = r#"{"alpha":{"status":"active"},"beta":{"status":"active"}}"#;
    assert_eq!(ask(&scene, Method::GET, "/list").await, (200, list.to_owned()));
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/list/"),
        (Method::GET, "/lis"),
        (Method::POST, "/list"),
    ] {
        assert_eq!(
            ask(&scene, method, path).await,
            (404, "Page not found".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn others_are_told_nothing() {
    let elsewhere = RegistrationSettings {
        list_networks: vec!["10.0.0.0/8".into()],
        ..settings()
    };
    let scene = Scene::with(&elsewhere).await;
    for path in ["/list", "/"] {
        assert_eq!(
            ask(&scene, Method::GET, path).await,
            (403, "Forbidden".to_owned())
        );
    }
}
