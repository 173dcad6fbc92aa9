//! Groups that another server answers for, which a small one here plays.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing;
use axum::{Extension, Json, Router};
use base64::Engine as _;
use http::{HeaderMap, StatusCode};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Discovery};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_pki::{Authority, read_certificate_der};
use toolforge_serve::Peer;

use crate::custom::{crates, define};
use crate::harness::{DEADLINE, Harness};
use crate::proxy::{upgraded, upgraded_at};

const NAME: &str = "v1beta1.metrics.example";

/// Tells who it was asked by, and in whose name.
async fn tell(Extension(peer): Extension<Peer>, headers: HeaderMap, request: Request) -> Response {
    let all = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    let proxy = peer
        .certificate
        .as_ref()
        .map(|der| read_certificate_der(der).unwrap().common_name);
    Json(json!({
        "apiVersion": "metrics.example/v1beta1", "kind": "Told", "metadata": { "name": "told" },
        "path": request.uri().to_string(), "method": request.method().as_str(), "proxy": proxy,
        "user": all("x-remote-user"), "groups": all("x-remote-group"), "authorization": all("authorization"),
    }))
    .into_response()
}

/// A server of the group, for clients of the front proxy's authority alone.
fn backend(authority: &Authority, clients: &str, listener: TcpListener) -> DropGuard {
    let list = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.example/v1beta1",
        "resources": [{ "name": "things", "singularName": "thing", "namespaced": false, "kind": "Thing", "verbs": ["get", "list"] }],
    });
    let index = json!({ "paths": {
        "apis/metrics.example/v1beta1": { "serverRelativeURL": "/openapi/v3/apis/metrics.example/v1beta1?hash=1" },
        "apis/apps/v1": { "serverRelativeURL": "/evil" },
    } });
    let router = Router::new()
        .route(
            "/apis/metrics.example/v1beta1",
            routing::get(|| async { Json(list) }),
        )
        .route("/openapi/v3", routing::get(|| async { Json(index) }))
        .route(
            "/apis/metrics.example/v1beta1/gone",
            routing::get(|| async { StatusCode::NOT_FOUND }),
        )
        .route(
            "/apis/metrics.example/v1beta1/things/a/console",
            routing::any(upgraded),
        )
        .fallback(tell);
    let identity = authority.issue_server(&["metrics.default.svc"]).unwrap();
    let tls = Arc::new(toolforge_pki::server_config(&identity, Some(clients)).unwrap());
    let shutdown = CancellationToken::new();
    tokio::spawn(toolforge_serve::serve(
        listener,
        Some(tls),
        router,
        shutdown.clone(),
    ));
    shutdown.drop_guard()
}

fn objects(address: SocketAddr, authority: &Authority) -> Vec<Value> {
    let bundle = base64::engine::general_purpose::STANDARD.encode(authority.certificate_pem());
    vec![
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics", "namespace": "default"},
            "spec": {"ports": [{"name": "https", "port": 443}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "metrics-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "metrics"}},
            "endpoints": [{"addresses": [address.ip().to_string()]}], "ports": [{"name": "https", "port": address.port()}]}),
        json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": NAME},
            "spec": {"group": "metrics.example", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
                "caBundle": bundle, "service": {"namespace": "default", "name": "metrics"}}}),
    ]
}

async fn create(client: &Client, objects: &[Value]) {
    for object in objects {
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let types = object.types.clone().unwrap();
        let kind = GroupVersionKind::try_from(&types).unwrap();
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = match &object.metadata.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        api.create(&PostParams::default(), &object).await.unwrap();
    }
}

/// Waits for the condition to have this reason.
async fn until_reason(client: &Client, wanted: &str) {
    let services: Api<APIService> = Api::all(client.clone());
    let reason = async {
        loop {
            let found = services.get(NAME).await.unwrap();
            let conditions = found
                .status
                .and_then(|status| status.conditions)
                .unwrap_or_default();
            if conditions
                .iter()
                .any(|one| one.type_ == "Available" && one.reason.as_deref() == Some(wanted))
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let seen = tokio::time::timeout(DEADLINE, reason).await;
    seen.unwrap_or_else(|_| panic!("the condition never had the reason {wanted}"));
}

async fn get(client: &Client, path: &str, accept: &str) -> Result<Value, kube::Error> {
    let request = http::Request::get(path)
        .header("accept", accept)
        .header("x-remote-user", "forged")
        .body(Vec::new())
        .unwrap();
    client.request(request).await
}

async fn code(client: &Client, path: &str) -> u16 {
    match get(client, path, "application/json").await {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("{path}: {other:?}"),
    }
}

#[tokio::test]
async fn another_server_answers_for_a_group() {
    let api = Harness::start().await;
    let admin = api.admin();
    let published: Api<ConfigMap> = Api::namespaced(admin.clone(), "kube-system");
    let published = published.get("extension-apiserver-authentication").await.unwrap();
    let published = published.data.unwrap();
    assert_eq!(published["client-ca-file"], api.authority.certificate_pem());
    assert_ne!(
        published["requestheader-client-ca-file"],
        api.authority.certificate_pem(),
        "else any client could say that it is the API"
    );
    assert_eq!(
        published["requestheader-allowed-names"],
        "[\"front-proxy-client\"]"
    );

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let theirs = Authority::create("theirs").unwrap();
    let objects = objects(address, &theirs);
    create(&admin, &objects[2..]).await;
    until_reason(&admin, "ServiceNotFound").await;
    let things = "/apis/metrics.example/v1beta1/things";
    assert_eq!(code(&admin, things).await, 503);
    create(&admin, &objects[..1]).await;
    until_reason(&admin, "MissingEndpoints").await;
    assert!(
        Discovery::new(admin.clone()).run().await.is_ok(),
        "what never answered is not offered"
    );

    let backend = backend(&theirs, &published["requestheader-client-ca-file"], listener);
    create(&admin, &objects[1..2]).await;
    until_reason(&admin, "Passed").await;
    let client = api.over_tls("ada", &["tools", "system:masters"]).await;
    let told = get(&client, &format!("{things}/a?b=c"), "application/json")
        .await
        .unwrap();
    assert_eq!(told["path"], format!("{things}/a?b=c"));
    assert_eq!(told["proxy"], "front-proxy-client");
    assert_eq!(told["user"], json!(["ada"]));
    assert_eq!(
        told["groups"],
        json!(["tools", "system:masters", "system:authenticated"])
    );
    assert_eq!(told["authorization"], json!([]));
    assert_eq!(code(&client, "/apis/metrics.example/v1beta1/gone").await, 404);
    let stranger = api.over_tls("bob", &[]).await;
    assert_eq!(code(&stranger, things).await, 403, "the API decides who may ask");

    let console = format!("{things}/a/console");
    let (_stream, said) = upgraded_at(&api, "ada", &["system:masters"], &console).await;
    assert!(
        said.starts_with("http/1.1 101 ") && said.contains("upgrade: twice"),
        "{said}"
    );

    discovered(&client).await;
    drop(backend);
    // An answer that is under way ends first; then nobody takes the connection.
    let silent = async {
        while get(&admin, things, "application/json").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, silent)
        .await
        .expect("it has stopped");
    assert_eq!(code(&admin, things).await, 503);
    // Something about it changes, so that it is asked now and not in half a minute.
    let services: Api<APIService> = Api::all(admin.clone());
    let mut found = services.get(NAME).await.unwrap();
    if let Some(spec) = &mut found.spec {
        spec.version_priority = 99;
    }
    services
        .replace(NAME, &PostParams::default(), &found)
        .await
        .unwrap();
    until_reason(&admin, "FailedDiscoveryCheck").await;
    assert!(
        Discovery::new(admin.clone()).run().await.is_ok(),
        "discovery does not wait for it"
    );
    services.delete(NAME, &DeleteParams::default()).await.unwrap();
    assert_eq!(code(&admin, things).await, 404);
}

/// Every form of discovery tells of the group.
async fn discovered(client: &Client) {
    let discovery = Discovery::new(client.clone()).run().await.unwrap();
    let group = discovery.get("metrics.example").expect("the group is offered");
    assert_eq!(group.preferred_version_or_latest(), "v1beta1");
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let all = get(client, "/apis", accept).await.unwrap();
    let items = all["items"].as_array().unwrap();
    let found = items
        .iter()
        .find(|item| item["metadata"]["name"] == "metrics.example");
    let version = &found.unwrap()["versions"][0];
    assert_eq!(version["freshness"], "Current");
    assert_eq!(version["resources"][0]["resource"], "things");
    let group = get(client, "/apis/metrics.example", "application/json")
        .await
        .unwrap();
    assert_eq!(
        group["preferredVersion"]["groupVersion"],
        "metrics.example/v1beta1"
    );
    let index = get(client, "/openapi/v3", "application/json").await.unwrap();
    let place = |group: &str| {
        index["paths"][group]["serverRelativeURL"]
            .as_str()
            .unwrap_or_default()
    };
    assert!(place("apis/metrics.example/v1beta1").ends_with("?hash=1"));
    assert_ne!(
        place("apis/apps/v1"),
        "/evil",
        "nobody tells of what is not theirs"
    );
    let schemas = get(client, place("apis/metrics.example/v1beta1"), "application/json")
        .await
        .unwrap();
    assert_eq!(schemas["path"], "/openapi/v3/apis/metrics.example/v1beta1?hash=1");
}

#[tokio::test]
async fn what_the_api_serves_itself_is_never_handed_on() {
    let api = Harness::start().await;
    let admin = api.admin();
    let authority = Authority::create("theirs").unwrap();
    let mut objects = objects(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), &authority);
    let theirs = objects.remove(2);
    create(&admin, &objects).await;
    until_local(&admin, "v1.apps", true).await;
    let services: Api<APIService> = Api::all(admin.clone());
    let spec =
        json!({"spec": {"service": theirs["spec"]["service"], "caBundle": theirs["spec"]["caBundle"]}});
    let patch = Patch::Merge(&spec);
    services
        .patch("v1.apps", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let list = get(&admin, "/apis/apps/v1/deployments", "application/json")
        .await
        .unwrap();
    assert_eq!(list["kind"], "DeploymentList");
}

/// Waits until an `APIService` says that the API itself answers, or until there is none.
async fn until_local(client: &Client, name: &str, wanted: bool) {
    let services: Api<APIService> = Api::all(client.clone());
    let is_local = |found: &APIService| {
        let status = found.status.as_ref();
        let mut conditions = status
            .and_then(|status| status.conditions.as_deref())
            .into_iter()
            .flatten();
        conditions.any(|one| {
            one.type_ == "Available" && one.status == "True" && one.reason.as_deref() == Some("Local")
        })
    };
    let seen = async {
        loop {
            let found = services.get_opt(name).await.unwrap();
            if found.as_ref().is_some_and(is_local) == wanted && found.is_some() == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let seen = tokio::time::timeout(DEADLINE, seen).await;
    seen.unwrap_or_else(|_| panic!("{name} never was as it should be"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_group_that_the_api_serves_has_its_object() {
    let api = Harness::start().await;
    let admin = api.admin();
    for name in ["v1.", "v1.apps", "v2.autoscaling"] {
        until_local(&admin, name, true).await;
    }
    let services: Api<APIService> = Api::all(admin.clone());
    let core = services.get("v1.").await.unwrap();
    assert_eq!(
        core.metadata.labels.unwrap()["kube-aggregator.kubernetes.io/automanaged"],
        "onstart"
    );
    assert!(core.spec.unwrap().service.is_none());
    let definitions = define(&api, crates()).await;
    for name in ["v1.stable.example.org", "v1beta1.stable.example.org"] {
        until_local(&admin, name, true).await;
    }
    // One that somebody takes away comes back with its kind.
    services
        .delete("v1.stable.example.org", &DeleteParams::default())
        .await
        .unwrap();
    until_local(&admin, "v1.stable.example.org", true).await;
    definitions
        .delete("crates.stable.example.org", &DeleteParams::default())
        .await
        .unwrap();
    for name in ["v1.stable.example.org", "v1beta1.stable.example.org"] {
        until_local(&admin, name, false).await;
    }
    api.stop().await;
}
