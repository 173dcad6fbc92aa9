//! What was acknowledged is there after the end, however that came.

use reqwest::Method;
use serde_json::json;
use toolforge_registrations::read_file;

use crate::scene::{Scene, is_private, names, server, settings};

#[tokio::test]
async fn registrations_outlive_a_gateway_that_is_killed() {
    let scene = Scene::new().await;
    let (address, _server) = server("").await;
    scene.register("tools.alpha", address).await;
    let path = "/v1/tools/beta/hosts/beta.toolforge.test/api";
    let body =
        json!({"destination": format!("http://{address}"), "checkPath": "/x", "redirectSharedHosts": true});
    assert_eq!(
        scene.ask_as("beta", Method::PUT, path, Some(body)).await.status,
        201
    );
    let before = scene.routed.borrow().clone();
    assert!(is_private(&scene.file()));
    let scene = scene.killed_and_started(&settings()).await;
    assert_eq!(*scene.routed.borrow(), before);
    assert_eq!(before.len(), 2);
    assert_eq!(scene.ask_as("beta", Method::DELETE, path, None).await.status, 204);
    let scene = scene.killed_and_started(&settings()).await;
    assert_eq!(scene.routed.borrow().len(), 1);
    let folder = scene.stopped().await;
    assert_eq!(
        read_file(&folder.path().join("data/registrations.json"))
            .unwrap()
            .all()
            .count(),
        1
    );
}

#[tokio::test]
async fn of_two_gateways_with_one_file_the_second_waits_and_then_knows_everything() {
    let first = Scene::new().await;
    let (address, _server) = server("").await;
    first.register("tools.alpha", address).await;
    let mut second = first.beside(&settings()).await;
    assert_eq!(
        second.led_to("alpha"),
        [address],
        "what is known is served at once"
    );
    // The second lets nobody in before the first has ended; what the first has written meanwhile it has to know.
    first.register("tools.beta", address).await;
    first.stopped().await;
    second.routed_when(|routed| routed.len() == 2).await;
    second.register("tools.gamma", address).await;
    assert_eq!(second.routed.borrow().len(), 3);
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_not_lost() {
    let scene = Scene::new().await;
    let (address, _server) = server("").await;
    scene.register("tools.alpha", address).await;
    let file = scene.file();
    std::fs::write(&file, r#"{"version": 1, "registrations": [{"#).unwrap();
    let scene = scene.killed_and_started(&settings()).await;
    assert!(scene.routed.borrow().is_empty());
    let aside = file.with_file_name("registrations.json.damaged-1000000");
    assert!(std::fs::read_to_string(aside).unwrap().contains("version"));
    scene.register("tools.alpha", address).await;
    assert!(is_private(&file));
}

#[tokio::test]
async fn what_is_said_again_costs_the_disk_nothing() {
    let scene = Scene::new().await;
    let (address, _server) = server("").await;
    scene.register("tools.alpha", address).await;
    // From now on nothing can be written.
    std::fs::create_dir_all(scene.file().with_file_name("registrations.json.new/x")).unwrap();
    scene.register("tools.alpha", address).await;
    assert_eq!(scene.led_to("alpha"), [address]);
    let (other, _server) = server("").await;
    let answer = scene.send(format!("register\n.*\nhttp://{other}\n")).await;
    assert!(
        answer.starts_with("The registration could not be kept."),
        "{answer}"
    );
    assert_eq!(scene.led_to("alpha"), [address]);
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_registered() {
    let scene = Scene::new().await;
    // A folder in the place of the file that is written beside: nobody, not even root, writes it.
    std::fs::create_dir_all(scene.file().with_file_name("registrations.json.new/x")).unwrap();
    let (address, _server) = server("").await;
    let answer = scene.send(format!("register\n.*\nhttp://{address}\n")).await;
    assert_eq!(
        answer,
        "The registration could not be kept. Please contact an administrator"
    );
    assert!(scene.routed.borrow().is_empty());
    let path = "/v1/tools/alpha/hosts/alpha.toolforge.test/";
    let body = json!({"destination": format!("http://{address}")});
    let answer = scene.ask_as("alpha", Method::PUT, path, Some(body)).await;
    assert_eq!(
        (answer.status, answer.json["title"].as_str()),
        (500, Some("Not kept"))
    );
}

#[tokio::test]
async fn a_host_that_is_nobodys_any_more_is_kept_and_not_served() {
    let mut scene = Scene::new().await;
    let (address, _server) = server("").await;
    let path = "/v1/tools/alpha/hosts/alpha.toolforge.test/";
    let body = json!({"destination": format!("http://{address}")});
    assert_eq!(
        scene
            .ask_as("alpha", Method::PUT, path, Some(body.clone()))
            .await
            .status,
        201
    );
    scene.register("tools.beta", address).await;
    scene.names.send_replace(names("other.test"));
    // A pattern is no host: it goes where the tool does.
    let beta = |routed: &[toolforge_routing::Registered]| match routed {
        [beta] => beta.routes.iter().any(|route| route.host == "beta.other.test"),
        _ => false,
    };
    scene.routed_when(beta).await;
    let mut scene = scene.killed_and_started(&settings()).await;
    scene.names.send_replace(names("other.test"));
    scene.routed_when(beta).await;
    let listed = scene
        .ask_as("alpha", Method::GET, "/v1/tools/alpha/registrations", None)
        .await;
    let why = listed.json["registrations"][0]["notServed"].to_string();
    assert!(why.contains("alpha.other.test"), "{why}");
    // The rules of now are those of whoever registers now.
    let put = scene.ask_as("alpha", Method::PUT, path, Some(body)).await;
    assert_eq!((put.status, put.rules()), (422, vec!["host/own"]));
    scene.names.send_replace(names("toolforge.test"));
    scene.routed_when(|routed| routed.len() == 2).await;
    assert_eq!(scene.led_to("alpha"), [address]);
    // What is not served can be taken back all the same, and what was never there cannot.
    scene.names.send_replace(names("other.test"));
    let deleted = scene.ask_as("alpha", Method::DELETE, path, None).await;
    assert_eq!(deleted.status, 204);
    let again = scene.ask_as("alpha", Method::DELETE, path, None).await;
    assert_eq!(again.rules(), ["host/own"]);
}
