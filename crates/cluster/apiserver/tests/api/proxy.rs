//! HTTP through the API to Pods and Services, which a server on a Pod's address plays.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use http::StatusCode;
use http::header::LOCATION;
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::client::Body;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::{DEADLINE, Harness};
use crate::objects::pod;

/// Tells what it was asked.
async fn tell(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let names: Vec<&str> = parts.headers.keys().map(http::HeaderName::as_str).collect();
    let forwarded = &parts.headers["x-forwarded-uri"];
    format!(
        "{} {} {} bytes, from {forwarded:?}, authorized: {}",
        parts.method,
        parts.uri,
        body.len(),
        names.contains(&"authorization")
    )
    .into_response()
}

/// Turns the connection into one that says everything twice.
pub(crate) async fn upgraded(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
        let mut word = [0; 5];
        while stream.read_exact(&mut word).await.is_ok() {
            stream.write_all(&[word, word].concat()).await.unwrap();
        }
    });
    let headers = [("connection", "upgrade"), ("upgrade", "twice")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// A server on an address of a Pod, and the Pod `a` that has it.
pub(crate) async fn backend(api: &Harness, tls: bool) -> (SocketAddr, DropGuard) {
    let number = u8::try_from(std::process::id() % 250).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::new(127, 64, 250, number), 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let moved = || async {
        (
            StatusCode::FOUND,
            [
                (LOCATION, "/there?x=y"),
                (http::header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            ],
        )
    };
    let router = Router::new()
        .route("/moved", get(moved))
        .route("/upgrade", any(upgraded))
        .fallback(tell);
    let identity = api.authority.issue_server(&["elsewhere"]).unwrap();
    let tls = tls.then(|| Arc::new(toolforge_pki::server_config(&identity, None).unwrap()));
    let shutdown = CancellationToken::new();
    tokio::spawn(toolforge_serve::serve(listener, tls, router, shutdown.clone()));
    let pods: Api<Pod> = Api::namespaced(api.admin(), "default");
    let mut new = pod("a");
    new.spec.as_mut().unwrap().containers[0].ports =
        serde_json::from_value(json!([{"containerPort": address.port()}])).unwrap();
    pods.create(&PostParams::default(), &new).await.unwrap();
    set_address(&pods, "a", &address.ip().to_string()).await;
    (address, shutdown.drop_guard())
}

async fn set_address(pods: &Api<Pod>, name: &str, address: &str) {
    let status = json!({"status": {"podIP": address, "podIPs": [{"ip": address}]}});
    pods.patch_status(name, &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
}

const PODS: &str = "/api/v1/namespaces/default/pods";
const SERVICES: &str = "/api/v1/namespaces/default/services";

async fn ask(
    client: &kube::Client,
    method: &str,
    path: &str,
    body: &'static str,
) -> (Response<Bytes>, String) {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", "Bearer of secrets")
        .header("accept", "text/html");
    let request = request.body(Body::from(Bytes::from(body))).unwrap();
    let (parts, body) = client.send(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (Response::from_parts(parts, bytes), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_passes_to_a_pod_but_what_is_the_apis_own() {
    let api = Harness::start().await;
    let (address, _running) = backend(&api, false).await;
    let client = api.admin();
    let port = address.port();
    let (answer, text) = ask(
        &client,
        "PUT",
        &format!("{PODS}/a:{port}/proxy/x%2Fy/?q=1&dryRun=no"),
        "hello",
    )
    .await;
    assert_eq!(answer.status(), 200, "{text}");
    assert_eq!(
        text,
        format!(
            "PUT /x%2Fy/?q=1&dryRun=no 5 bytes, from \"{PODS}/a:{port}/proxy/x%2Fy/\", authorized: false"
        )
    );
    let (_, text) = ask(&client, "DELETE", &format!("{PODS}/a/proxy/"), "").await;
    assert!(
        text.starts_with("DELETE / 0 bytes"),
        "the first port of the Pod: {text}"
    );
    let (answer, _) = ask(&client, "GET", &format!("{PODS}/a/proxy?q=1"), "").await;
    assert_eq!(answer.status(), 301);
    assert_eq!(answer.headers()[LOCATION], format!("{PODS}/a/proxy/?q=1"));
    let (answer, _) = ask(&client, "GET", &format!("{PODS}/a/proxy/moved"), "").await;
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()[LOCATION], format!("{PODS}/a/proxy/there?x=y"));
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    let (answer, text) = ask(&client, "GET", &format!("{PODS}/a:1/proxy/"), "").await;
    assert_eq!(answer.status(), 503);
    assert!(text.contains("error trying to reach service"), "{text}");
    let (answer, _) = ask(&client, "GET", &format!("{PODS}/ftp:a:1/proxy/"), "").await;
    assert_eq!(answer.status(), 400);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_own_services_are_out_of_reach() {
    let api = Harness::start().await;
    let pods: Api<Pod> = Api::namespaced(api.admin(), "default");
    pods.create(&PostParams::default(), &pod("a")).await.unwrap();
    for address in ["127.0.0.1", "169.254.169.254"] {
        set_address(&pods, "a", address).await;
        let (answer, text) = ask(&api.admin(), "GET", &format!("{PODS}/a:80/proxy/"), "").await;
        assert_eq!(answer.status(), 400);
        assert!(text.contains("address not allowed"), "{text}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_passes_to_a_ready_pod_of_its_own() {
    let api = Harness::start().await;
    let (address, _running) = backend(&api, true).await;
    let services: Api<Service> = Api::namespaced(api.admin(), "default");
    let service = json!({"metadata": {"name": "web"}, "spec": {"ports": [{"name": "https", "port": 443}]}});
    let service = serde_json::from_value(service).unwrap();
    services.create(&PostParams::default(), &service).await.unwrap();
    let (answer, text) = ask(
        &api.admin(),
        "GET",
        &format!("{SERVICES}/https:web:https/proxy/"),
        "",
    )
    .await;
    assert_eq!(answer.status(), 503);
    assert!(text.contains("no endpoints available for service"), "{text}");
    let endpoints: Api<Endpoints> = Api::namespaced(api.admin(), "default");
    let ports = json!([{"name": "https", "port": address.port()}]);
    let of = |target: serde_json::Value| {
        let subset = json!({"addresses": [{"ip": address.ip(), "targetRef": target}], "ports": ports});
        serde_json::from_value(json!({"metadata": {"name": "web"}, "subsets": [subset]})).unwrap()
    };
    let foreign = of(json!({"kind": "Pod", "name": "b", "namespace": "default"}));
    endpoints.create(&PostParams::default(), &foreign).await.unwrap();
    let (answer, _) = ask(
        &api.admin(),
        "GET",
        &format!("{SERVICES}/https:web:443/proxy/"),
        "",
    )
    .await;
    assert_eq!(answer.status(), 503, "an address that is no Pod's");
    let own = of(json!({"kind": "Pod", "name": "a", "namespace": "default"}));
    endpoints
        .replace("web", &PostParams::default(), &own)
        .await
        .unwrap();
    for name in ["https:web:443", "https:web:https"] {
        let (answer, text) = ask(&api.admin(), "GET", &format!("{SERVICES}/{name}/proxy/x"), "").await;
        assert_eq!(answer.status(), 200, "{text}");
        assert!(text.starts_with("GET /x 0 bytes"), "{text}");
    }
    api.stop().await;
}

/// A connection to the Pod that says everything twice, which has answered already; with what it has answered.
pub(crate) async fn upgraded_connection(
    api: &Harness,
    user: &str,
    groups: &[&str],
) -> (tokio_rustls::client::TlsStream<tokio::net::TcpStream>, String) {
    upgraded_at(api, user, groups, &format!("{PODS}/a/proxy/upgrade")).await
}

/// The same for who says everything twice at that path.
pub(crate) async fn upgraded_at(
    api: &Harness,
    user: &str,
    groups: &[&str],
    path: &str,
) -> (tokio_rustls::client::TlsStream<tokio::net::TcpStream>, String) {
    let identity = api.authority.issue_client(user, groups).unwrap();
    let tls = toolforge_pki::client_config(api.authority.certificate_pem(), Some(&identity)).unwrap();
    let stream = tokio::net::TcpStream::connect(api.address).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: api\r\nconnection: upgrade\r\nupgrade: twice\r\n\r\nhello");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let read = async {
        while !said.ends_with(b"hellohello") {
            assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0, "{said:?}");
        }
    };
    tokio::time::timeout(DEADLINE, read).await.expect("in time");
    (stream, String::from_utf8_lossy(&said).to_lowercase())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_passes_through() {
    let api = Harness::start().await;
    let (_, _running) = backend(&api, false).await;
    let (stream, said) = upgraded_connection(&api, "admin", &["system:masters"]).await;
    assert!(
        said.starts_with("http/1.1 101 ") && said.contains("upgrade: twice"),
        "{said}"
    );
    drop(stream);
    api.stop().await;
}
