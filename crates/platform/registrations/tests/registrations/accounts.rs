//! Tools whose access is withdrawn: their certificates are still good, and lead nowhere.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use toolforge_registrations::{Event, Tenants};

use crate::scene::{Ident, Scene, server, settings};

#[tokio::test]
async fn locked_tool_loses_its_registrations_at_once_and_gets_no_others() {
    let mut scene = Scene::new().await;
    let (webservice, _serving) = server("HTTP/1.1 200 OK\r\n\r\n").await;
    let path = "/v1/tools/alpha/hosts/alpha.toolforge.test/";
    let body = json!({ "destination": format!("http://{webservice}") });
    let put = scene.ask_as("alpha", Method::PUT, path, Some(body.clone())).await;
    assert_eq!(put.status, 201);
    scene.register("tools.beta", webservice).await;
    scene
        .routed_when(|routed| routed.iter().filter(|known| known.is_alive).count() == 2)
        .await;

    let tool = |name: &str| name.parse().unwrap();
    let locked = Arc::new(Tenants {
        active: [tool("beta")].into(),
        withdrawn: [tool("alpha")].into(),
    });
    scene.tenants.send_replace(locked.clone());
    scene.routed_when(|routed| routed.len() == 1).await;
    assert_eq!(scene.led_to("beta"), [webservice]);
    let put = scene.ask_as("alpha", Method::PUT, path, Some(body.clone())).await;
    assert_eq!((put.status, put.rules()), (422, vec!["account"]));
    let detail = put.json["detail"].as_str().unwrap();
    assert!(detail.contains("locked or being removed"), "{detail}");
    scene.ident.send_replace(Ident::user("tools.alpha"));
    let line = format!("register\n.*\nhttp://{webservice}\n");
    let told = scene.send(&line).await;
    assert!(told.starts_with("Not registered: tool: "), "{told}");
    // Nor does somebody who is no tool any more.
    scene.ident.send_replace(Ident::user("tools.gone"));
    let told = scene.send(&line).await;
    assert!(told.contains("there is no tool gone"), "{told}");

    // They are gone for good: unlocked, the tool registers anew.
    let mut scene = scene.killed_and_started(&settings()).await;
    let listed = scene
        .ask_as("alpha", Method::GET, "/v1/registrations", None)
        .await;
    assert_eq!(listed.json, json!({ "registrations": [] }));
    let put = scene.ask_as("alpha", Method::PUT, path, Some(body)).await;
    assert_eq!(put.status, 201);
    scene.routed_when(|routed| routed.len() == 2).await;
    assert_eq!(scene.seen.figures().count(Event::Unregistered), 0);
    scene.tenants.send_replace(locked);
    scene.routed_when(|routed| routed.len() == 1).await;
}
