//! Logs, from a node that the API calls over mutual TLS.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, LogParams, PostParams};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_serve::Peer;

use crate::harness::{DEADLINE, Harness};
use crate::objects::pod;

async fn log(
    Extension(peer): Extension<Peer>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let certificate =
        toolforge_pki::read_certificate_der(&peer.certificate.expect("a client certificate")).unwrap();
    let query = query.unwrap_or_default();
    if container == "silent" {
        return (http::StatusCode::NOT_FOUND, "no such log").into_response();
    }
    let first = format!(
        "{} {namespace}/{pod}/{container} {query}\n",
        certificate.common_name
    );
    if !query.contains("follow") {
        return first.into_response();
    }
    let endless = futures::stream::once(async move { Ok::<_, std::convert::Infallible>(first) });
    Body::from_stream(futures::StreamExt::chain(endless, futures::stream::pending())).into_response()
}

/// A node that answers for logs, and a Pod on it.
async fn node(api: &Harness) -> CancellationToken {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let identity = api.authority.issue_server(&["127.0.0.1"]).unwrap();
    let tls = toolforge_pki::server_config(&identity, Some(api.authority.certificate_pem())).unwrap();
    let router = Router::new().route("/containerLogs/{namespace}/{pod}/{container}", get(log));
    let shutdown = CancellationToken::new();
    tokio::spawn(toolforge_serve::serve(
        listener,
        Some(Arc::new(tls)),
        router,
        shutdown.clone(),
    ));
    let nodes: Api<Node> = Api::all(api.admin());
    let node: Node = serde_json::from_value(json!({"metadata":{"name":"one"},"status":{
        "addresses":[{"type":"InternalIP","address":"127.0.0.1"}],
        "daemonEndpoints":{"kubeletEndpoint":{"Port":port}}}}))
    .unwrap();
    nodes.create(&PostParams::default(), &node).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(api.admin(), "default");
    let mut bound = pod("a");
    let spec = bound.spec.as_mut().unwrap();
    spec.node_name = Some("one".to_owned());
    let mut silent = spec.containers[0].clone();
    "silent".clone_into(&mut silent.name);
    spec.containers.push(silent);
    pods.create(&PostParams::default(), &bound).await.unwrap();
    shutdown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_comes_from_the_node_of_the_pod() {
    let api = Harness::start().await;
    let node = node(&api).await;
    let pods: Api<Pod> = Api::namespaced(api.over_tls("admin", &["system:masters"]).await, "default");
    let params = LogParams {
        container: Some("main".to_owned()),
        tail_lines: Some(5),
        ..LogParams::default()
    };
    let text = pods.logs("a", &params).await.unwrap();
    assert_eq!(text, "kube-apiserver-kubelet-client default/a/main tailLines=5\n");
    let unnamed = pods
        .logs("a", &LogParams::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        unnamed.contains("a container name must be specified"),
        "{unnamed}"
    );
    let silent = LogParams {
        container: Some("silent".to_owned()),
        ..LogParams::default()
    };
    let refused = pods.logs("a", &silent).await.unwrap_err().to_string();
    assert!(refused.contains("no such log"), "{refused}");
    node.cancel();
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_streams_and_ends_with_the_api() {
    let api = Harness::start().await;
    let node = node(&api).await;
    let pods: Api<Pod> = Api::namespaced(api.over_tls("admin", &["system:masters"]).await, "default");
    let params = LogParams {
        container: Some("main".to_owned()),
        follow: true,
        ..LogParams::default()
    };
    let mut lines = pods.log_stream("a", &params).await.unwrap().lines();
    let first = tokio::time::timeout(DEADLINE, lines.try_next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(first.contains("follow=true"), "{first}");
    api.stop().await;
    let end = tokio::time::timeout(DEADLINE, async {
        while let Ok(Some(_)) = lines.try_next().await {}
    })
    .await;
    end.expect("the stream ends");
    node.cancel();
}
