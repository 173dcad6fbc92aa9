//! Checks: who is dead is not asked for visitors, and expires by a clock that the test moves.

use std::sync::atomic::Ordering;

use reqwest::Method;
use serde_json::json;
use toolforge_registrations::Event;

use crate::scene::{Scene, eventually, listener, server};

const OWN: &str = "/v1/tools/alpha/hosts/alpha.toolforge.test/";

#[tokio::test]
async fn the_dead_are_not_asked_and_expire_when_their_time_is_over() {
    let mut scene = Scene::new().await;
    let (beta, _living) = server("").await;
    scene.register("tools.beta", beta).await;
    let (alpha, serving) = server("").await;
    scene.register("tools.alpha", alpha).await;
    serving.abort();
    scene
        .routed_when(|routed| routed.iter().any(|registered| !registered.is_alive))
        .await;
    assert_eq!(
        (scene.led_to("alpha"), scene.led_to("beta")),
        (Vec::new(), vec![beta])
    );
    let shown = scene
        .ask_as("alpha", Method::GET, "/v1/tools/alpha/registrations", None)
        .await;
    let alpha = &shown.json["registrations"][0];
    assert_eq!(alpha["state"], "dead", "{alpha}");
    assert!(
        alpha["lastError"].as_str().unwrap().contains("refused"),
        "{alpha}"
    );
    // The clock stands, so that however long it is checked, its time is not over.
    assert_eq!(scene.seen.figures().count(Event::Expired), 0);
    scene.clock.fetch_add(3599, Ordering::Relaxed);
    let failed = scene.seen.figures().count(Event::CheckFailed);
    eventually(|| scene.seen.figures().count(Event::CheckFailed) >= failed + 2).await;
    assert_eq!(scene.routed.borrow().len(), 2);
    scene.clock.fetch_add(1, Ordering::Relaxed);
    scene.routed_when(|routed| routed.len() == 1).await;
    assert_eq!(scene.seen.figures().count(Event::Expired), 1);
    assert_eq!(scene.led_to("beta"), [beta]);
}

#[tokio::test]
async fn who_begins_to_listen_later_comes_to_life() {
    let mut scene = Scene::new().await;
    let address = listener().await.local_addr().unwrap();
    scene.register("tools.alpha", address).await;
    // Until it is known to be dead it is served: most begin to listen right after.
    assert_eq!(scene.led_to("alpha"), [address]);
    scene.routed_when(|routed| !routed[0].is_alive).await;
    let _listening = tokio::net::TcpListener::bind(address).await.unwrap();
    scene.routed_when(|routed| routed[0].is_alive).await;
    assert_eq!(scene.seen.counts(), [0, 1, 0]);
}

#[tokio::test]
async fn a_path_is_asked_where_one_is_named() {
    let mut scene = Scene::new().await;
    let (well, _server) = server("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let (ill, _other) = server("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").await;
    let register =
        |address| Some(json!({"destination": format!("http://{address}"), "checkPath": "/healthz"}));
    assert_eq!(
        scene
            .ask_as("alpha", Method::PUT, OWN, register(ill))
            .await
            .status,
        201
    );
    scene.routed_when(|routed| !routed[0].is_alive).await;
    let shown = scene.ask_as("alpha", Method::GET, OWN, None).await;
    assert_eq!(shown.json["lastError"], "it answers 500");
    assert_eq!(
        scene
            .ask_as("alpha", Method::PUT, OWN, register(well))
            .await
            .status,
        200
    );
    scene
        .routed_when(|routed| routed[0].is_alive && routed[0].address == well)
        .await;
    eventually(|| scene.seen.counts() == [0, 1, 0]).await;
}
