//! What clients send that mean harm, or that are broken: the API refuses it, stays up, and stays small.

use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt as _, TryStreamExt as _};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use kube::client::Body;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{DEADLINE, Harness};
use crate::objects::config_map;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn send(
    client: &kube::Client,
    method: Method,
    path: &str,
    media_type: &str,
    body: Vec<u8>,
) -> (StatusCode, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media_type)
        .body(Body::from(body))
        .unwrap();
    let response = client.send(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let api = Harness::start().await;
    let admin = api.over_tls("admin", &["system:masters"]).await;
    let object = json!({"metadata":{"name":"large"},"data":{"k":"x".repeat(4 << 20)}});
    let (status, answer) = send(
        &admin,
        Method::POST,
        MAPS,
        "application/json",
        object.to_string().into_bytes(),
    )
    .await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    assert!(
        answer.contains("\"reason\":\"RequestEntityTooLarge\""),
        "{answer}"
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nested_too_deep_is_refused_in_every_language() {
    let api = Harness::start().await;
    let admin = api.admin();
    let depth = 200_000;
    let json = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let list = "[".repeat(depth);
    let yaml: String = (0..2000)
        .flat_map(|level| [" ".repeat(level), "a:\n".to_owned()])
        .collect();
    for (media_type, body) in [
        ("application/json", json.clone()),
        ("application/json", list.clone()),
        ("application/yaml", list.clone()),
        ("application/yaml", yaml),
        ("application/yaml", "- ".repeat(depth)),
    ] {
        let (status, answer) = send(&admin, Method::POST, MAPS, media_type, body.into_bytes()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{media_type}: {answer}");
    }
    let maps: Api<ConfigMap> = Api::namespaced(admin.clone(), "default");
    maps.create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    for media_type in [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ] {
        for body in [&json, &list] {
            let path = format!("{MAPS}/a?fieldManager=test");
            let body = body.clone().into_bytes();
            let (status, answer) = send(&admin, Method::PATCH, &path, media_type, body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{media_type}: {answer}");
        }
    }
    assert!(maps.get("a").await.is_ok());
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_cannot_nest_deeper_than_a_body() {
    let api = Harness::start().await;
    let revisions = "/apis/apps/v1/namespaces/default/controllerrevisions";
    let admin = api.admin();
    // The data of a revision may be anything, so that nothing prunes it.
    let revision = json!({"metadata":{"name":"a"},"revision":1,"data":{"x":{}}});
    let (status, answer) = send(
        &admin,
        Method::POST,
        revisions,
        "application/json",
        revision.to_string().into_bytes(),
    )
    .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let mut inner = "/data".to_owned();
    let mut patch = Vec::new();
    for power in 0..16 {
        // The copy goes to the innermost place, so that each doubles the depth.
        patch.push(json!({"op":"copy","from":"/data","path":format!("{inner}/x")}));
        inner.push_str(&"/x".repeat(1 << power));
    }
    let (status, answer) = send(
        &admin,
        Method::PATCH,
        &format!("{revisions}/a"),
        "application/json-patch+json",
        serde_json::to_vec(&patch).unwrap(),
    )
    .await;
    assert!(status.is_client_error(), "{status} {answer}");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_watches_hear_of_an_event() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let first = maps
        .create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    let from = first.metadata.resource_version.unwrap();
    let params = WatchParams::default();
    let watches = join_all((0..1000).map(|_| maps.watch(&params, &from))).await;
    maps.create(&PostParams::default(), &config_map("b", &json!({})))
        .await
        .unwrap();
    let heard = watches.into_iter().map(|watch| async move {
        let event = watch.unwrap().boxed().try_next().await.unwrap();
        matches!(event, Some(WatchEvent::Added(map)) if map.metadata.name.as_deref() == Some("b"))
    });
    let heard = tokio::time::timeout(DEADLINE, join_all(heard)).await.unwrap();
    assert!(heard.iter().all(|heard| *heard));
    api.stop().await;
}

/// Reads what the in-process client is handed, chunk by chunk; gives the size of the largest.
async fn largest_chunk(client: &kube::Client, path: &str, until: &str) -> usize {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let mut body = client.send(request).await.unwrap().into_body();
    let (mut largest, mut tail) = (0, String::new());
    loop {
        let frame = tokio::time::timeout(DEADLINE, body.frame()).await.unwrap();
        let data = frame.unwrap().unwrap().into_data().unwrap();
        largest = largest.max(data.len());
        tail.push_str(&String::from_utf8_lossy(&data));
        if tail.contains(until) {
            return largest;
        }
        tail = tail.split_off(tail.len().saturating_sub(4096));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_handed_little_at_a_time() {
    let api = Harness::start().await;
    let admin = api.admin();
    let maps: Api<ConfigMap> = Api::namespaced(admin.clone(), "default");
    let first = maps
        .create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    let from = first.metadata.resource_version.unwrap();
    let large = "x".repeat(20_000);
    let params = PostParams::default();
    let writes = (0..100).map(|number| {
        let map = config_map(&format!("b-{number:03}"), &json!({ "k": large }));
        let (maps, params) = (maps.clone(), params.clone());
        async move { maps.create(&params, &map).await.map(drop) }
    });
    futures::future::try_join_all(writes).await.unwrap();
    maps.create(&PostParams::default(), &config_map("last", &json!({})))
        .await
        .unwrap();
    let limit = 128 << 10;
    for query in [
        format!("watch=true&resourceVersion={from}"),
        "watch=true".to_owned(),
        "limit=1000".to_owned(),
    ] {
        let largest = largest_chunk(&admin, &format!("{MAPS}?{query}"), "\"name\":\"last\"").await;
        assert!(largest < limit, "{query}: {largest}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_does_not_keep_others_waiting() {
    let api = Harness::start().await;
    let mut silent = Vec::new();
    for _ in 0..500 {
        silent.push(tokio::net::TcpStream::connect(api.address).await.unwrap());
    }
    let mut broken = tokio::net::TcpStream::connect(api.address).await.unwrap();
    broken.write_all(&[0x16, 3, 1, 0xff, 0xff]).await.unwrap();
    broken.write_all(&vec![0; 70_000]).await.ok();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(30), broken.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "nonsense is not answered and not kept");
    let admin = api.over_tls("admin", &["system:masters"]).await;
    let maps: Api<ConfigMap> = Api::namespaced(admin, "default");
    assert!(maps.list(&ListParams::default()).await.is_ok());
    drop(silent);
    api.stop().await;
}
