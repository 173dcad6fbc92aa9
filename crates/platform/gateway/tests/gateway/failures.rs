//! What the visitor gets when a tool does not answer.

use toolforge_routing::{Change, Kind};

use crate::{
    scene::{Scene, Version, refusing},
    tools::Tool,
};

async fn get(scene: &Scene, tool: &str, path: &str) -> reqwest::Response {
    scene
        .client(tool, Version::Http1)
        .get(scene.url(tool, path))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn unknown_host_gets_the_answer_of_the_default_backend_for_its_path() {
    let (scene, pages) = (Scene::new().await, Tool::mirror().await);
    scene.default_backend(pages.address);
    let response = get(&scene, "nobody", "/x?y=z").await;
    assert_eq!(response.status(), 200, "the status is the default backend's");
    let seen = response.text().await.unwrap();
    assert!(seen.starts_with("GET /x?y=z\n"), "{seen}");
    for line in [
        "x-code: 404\n",
        "x-original-uri: /x?y=z\n",
        "host: nobody.toolforge.test:",
    ] {
        assert!(seen.contains(line), "{line} is missing in {seen}");
    }
}

#[tokio::test]
async fn status_of_the_default_backend_is_kept_for_unknown_hosts() {
    let scene = Scene::new().await;
    let pages = Tool::saying("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone").await;
    scene.default_backend(pages.address);
    let response = get(&scene, "nobody", "/").await;
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["toolforge-answer"], "gateway");
    assert_eq!(response.text().await.unwrap(), "gone");
}

#[tokio::test]
async fn tool_without_endpoints_gets_a_503_page_that_knows_whose_it_is() {
    let (scene, pages) = (Scene::new().await, Tool::mirror().await);
    scene.default_backend(pages.address);
    scene.route("alpha", &[]);
    let response = get(&scene, "alpha", "/x").await;
    assert_eq!(response.status(), 503);
    assert_eq!(
        response.headers()["strict-transport-security"],
        "max-age=31622400"
    );
    let seen = response.text().await.unwrap();
    for line in [
        "GET /\n",
        "x-code: 503\n",
        "x-namespace: tool-alpha\n",
        "x-ingress-name: web\n",
        "x-service-name: alpha\n",
        "x-service-port: 8000\n",
        "x-original-uri: /x\n",
    ] {
        assert!(seen.contains(line), "{line} is missing in {seen}");
    }
}

#[tokio::test]
async fn tool_that_answers_as_a_gateway_does_is_told_from_it() {
    let scene = Scene::new().await;
    let tool = Tool::saying(
        "HTTP/1.1 503 Service Unavailable\r\ntoolforge-answer: gateway\r\ncontent-length: 4\r\n\r\nmine",
    )
    .await;
    scene.route("alpha", &[tool.address]);
    let response = get(&scene, "alpha", "/").await;
    assert_eq!(response.status(), 503);
    assert!(!response.headers().contains_key("toolforge-answer"));
    assert_eq!(response.text().await.unwrap(), "mine");
}

#[tokio::test]
async fn endpoint_that_refuses_is_passed_over() {
    let (scene, tool) = (Scene::new().await, Tool::mirror().await);
    let (_kept, dead) = refusing();
    scene.route("alpha", &[dead, tool.address]);
    let client = scene.client("alpha", Version::Http1);
    for _ in 0..4 {
        // Nothing was sent to the dead endpoint, so that bodies are not in the way.
        let response = client
            .post(scene.url("alpha", "/"))
            .body("hello")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.text().await.unwrap().ends_with("hello"));
    }
}

#[tokio::test]
async fn tool_that_refuses_or_breaks_off_is_a_bad_gateway() {
    let (scene, pages) = (Scene::new().await, Tool::mirror().await);
    scene.default_backend(pages.address);
    let (_kept, dead) = refusing();
    scene.route("alpha", &[dead]);
    let silent = Tool::saying("").await;
    scene.route("beta", &[silent.address]);
    let nonsense = Tool::saying("nonsense\r\n\r\n").await;
    scene.route("gamma", &[nonsense.address]);
    for tool in ["alpha", "beta", "gamma"] {
        let response = get(&scene, tool, "/").await;
        assert_eq!(response.status(), 502, "{tool}");
        assert!(response.text().await.unwrap().contains("x-code: 502\n"), "{tool}");
    }
}

#[tokio::test]
async fn own_pages_stand_in_for_a_dead_default_backend() {
    let scene = Scene::new().await;
    let (_kept, dead) = refusing();
    scene.route("alpha", &[dead]);
    scene.route("beta", &[]);
    for round in ["without a default backend", "with a dead one"] {
        for (tool, status) in [("alpha", 502), ("beta", 503), ("nobody", 404)] {
            let client = scene.client(tool, Version::Http1);
            let response = client
                .get(scene.url(tool, "/"))
                .header("accept", "text/html")
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), status, "{round} {tool}");
            assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert!(response.text().await.unwrap().contains("<h1>"), "{round} {tool}");
        }
        scene.default_backend(dead);
    }
}

#[tokio::test]
async fn route_that_is_gone_is_gone_for_the_next_request() {
    let (scene, tool) = (Scene::new().await, Tool::named("alpha").await);
    scene.route("alpha", &[tool.address]);
    assert_eq!(get(&scene, "alpha", "/").await.status(), 200);
    scene.change(vec![Change::Replace(Kind::Ingress, Vec::new())]);
    assert_eq!(get(&scene, "alpha", "/").await.status(), 404);
}
