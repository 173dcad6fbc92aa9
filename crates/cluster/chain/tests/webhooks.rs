//! The chain with real webhook servers behind TLS.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "fixtures/world.rs"]
mod world;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Json, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_chain::{Attributes, Chain, Operation};
use toolforge_kinds::Status;
use toolforge_pki::Authority;
use world::{Stored, attributes};

type Handler = Box<dyn Fn(&Value) -> Value + Send + Sync>;

/// What the server does on each path, and what it was asked.
#[derive(Default)]
struct Script {
    handlers: HashMap<String, Handler>,
    requests: Mutex<Vec<(String, Value)>>,
    connections: Mutex<HashSet<SocketAddr>>,
}

/// A webhook server, stopped when it goes out of scope.
struct Server {
    script: Arc<Script>,
    port: u16,
    ca_bundle: String,
    _running: DropGuard,
}

async fn answer(
    State(script): State<Arc<Script>>,
    peer: axum::Extension<toolforge_serve::Peer>,
    uri: Uri,
    Json(review): Json<Value>,
) -> Response {
    let request = review["request"].clone();
    script.connections.lock().unwrap().insert(peer.address);
    script
        .requests
        .lock()
        .unwrap()
        .push((uri.to_string(), request.clone()));
    match script.handlers.get(uri.path()) {
        Some(handler) => {
            let mut response = handler(&request);
            if response.get("uid").is_none() {
                response["uid"] = request["uid"].clone();
            }
            let review =
                json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
            Json(review).into_response()
        }
        None if uri.path() == "/never" => std::future::pending().await,
        None => StatusCode::BAD_GATEWAY.into_response(),
    }
}

impl Server {
    async fn start(handlers: impl IntoIterator<Item = (&'static str, Handler)>) -> Self {
        let authority = Authority::create("webhook test").unwrap();
        let identity = authority.issue_server(&["127.0.0.1", "guard.tf.svc"]).unwrap();
        let tls = Arc::new(toolforge_pki::server_config(&identity, None).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let handlers = handlers
            .into_iter()
            .map(|(path, handler)| (path.to_owned(), handler))
            .collect();
        let script = Arc::new(Script {
            handlers,
            ..Script::default()
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let shutdown = CancellationToken::new();
        tokio::spawn(toolforge_serve::serve(
            listener,
            Some(tls),
            router,
            shutdown.clone(),
        ));
        let ca_bundle = STANDARD.encode(authority.certificate_pem());
        Self {
            script,
            port,
            ca_bundle,
            _running: shutdown.drop_guard(),
        }
    }

    fn at(&self, path: &str) -> Value {
        json!({"url": format!("https://127.0.0.1:{}{path}", self.port), "caBundle": self.ca_bundle})
    }

    fn paths(&self) -> Vec<String> {
        self.script
            .requests
            .lock()
            .unwrap()
            .iter()
            .map(|(path, _)| path.clone())
            .collect()
    }
}

/// A configuration of webhooks that want to see every new `ConfigMap`.
fn configuration(kind: &str, name: &str, webhooks: &[(&str, Value)]) -> Value {
    let rule = json!({"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps", "namespaces"]});
    let webhooks: Vec<Value> = webhooks
        .iter()
        .map(|(name, fields)| {
            let mut webhook = json!({
                "name": name, "rules": [rule], "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": 30,
                "admissionReviewVersions": ["v1"],
            });
            webhook.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            webhook
        })
        .collect();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "webhooks": webhooks,
    })
}

fn validating(webhooks: &[(&str, Value)]) -> Value {
    configuration("ValidatingWebhookConfiguration", "validating", webhooks)
}

fn mutating(name: &str, webhooks: &[(&str, Value)]) -> Value {
    configuration("MutatingWebhookConfiguration", name, webhooks)
}

fn create() -> Attributes {
    attributes("", "ConfigMap", Operation::Create)
}

fn config_map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "namespace": "tool-x"}, "data": {}})
}

async fn validate(objects: impl IntoIterator<Item = Value>) -> Result<Vec<String>, Status> {
    Chain::new(Stored::with(objects))
        .validate(&create(), Some(&config_map()), None)
        .await
}

async fn mutate(objects: impl IntoIterator<Item = Value>) -> Result<(Value, Vec<String>), Status> {
    let chain = Chain::new(Stored::with(objects));
    chain
        .mutate(&create(), Some(config_map()), None)
        .await
        .map(|(object, warnings)| (object.unwrap(), warnings))
}

fn allow() -> (&'static str, Handler) {
    (
        "/allow",
        Box::new(|_| json!({"allowed": true, "warnings": ["think twice"]})),
    )
}

fn patch(operations: &Value) -> Value {
    json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(operations.to_string())})
}

/// Appends a letter to the trace in the object.
fn trace(letter: &'static str) -> Handler {
    Box::new(move |request| {
        let before = request["object"]["data"]["trace"].as_str().unwrap_or_default();
        patch(&json!([{"op": "add", "path": "/data/trace", "value": format!("{before}{letter}")}]))
    })
}

#[tokio::test]
async fn an_allowed_write_passes_with_the_warnings() {
    let server = Server::start([allow()]).await;
    let warnings = validate([validating(&[(
        "a.example.org",
        json!({"clientConfig": server.at("/allow")}),
    )])])
    .await;
    assert_eq!(warnings, Ok(vec!["think twice".to_owned()]));
    assert_eq!(server.paths(), ["/allow?timeout=30s"]);
    let requests = server.script.requests.lock().unwrap();
    assert_eq!(requests[0].1["object"], config_map());
    assert_eq!(requests[0].1["userInfo"]["username"], "x");
}

#[tokio::test]
async fn a_denial_is_told_in_the_words_of_kubernetes_and_the_first_one_counts() {
    let deny = |message: &'static str| -> Handler {
        Box::new(
            move |_| json!({"allowed": false, "status": {"message": message, "code": 422, "reason": "Invalid"}}),
        )
    };
    let server = Server::start([allow(), ("/first", deny("first")), ("/second", deny("second"))]).await;
    let denied = validate([validating(&[
        ("ok.example.org", json!({"clientConfig": server.at("/allow")})),
        ("first.example.org", json!({"clientConfig": server.at("/first")})),
        (
            "second.example.org",
            json!({"clientConfig": server.at("/second")}),
        ),
    ])])
    .await
    .unwrap_err();
    assert_eq!((denied.code, denied.reason), (422, "Invalid"));
    assert_eq!(
        denied.message,
        "admission webhook \"first.example.org\" denied the request: first"
    );
    assert_eq!(server.paths().len(), 3, "all are asked at once");
}

#[tokio::test]
async fn mutating_webhooks_come_in_the_order_of_their_names_and_see_each_others_changes() {
    let server = Server::start([("/a", trace("a")), ("/b", trace("b")), ("/c", trace("c"))]).await;
    let (object, _) = mutate([
        mutating(
            "2",
            &[("c.example.org", json!({"clientConfig": server.at("/c")}))],
        ),
        mutating(
            "1",
            &[
                ("b.example.org", json!({"clientConfig": server.at("/b")})),
                ("a.example.org", json!({"clientConfig": server.at("/a")})),
            ],
        ),
    ])
    .await
    .unwrap();
    assert_eq!(object["data"]["trace"], "bac");
}

#[tokio::test]
async fn who_wants_to_is_asked_again_when_others_changed_the_object_later() {
    let server = Server::start([("/a", trace("a")), ("/b", trace("b"))]).await;
    let again = |path: &str| json!({"clientConfig": server.at(path), "reinvocationPolicy": "IfNeeded"});
    let (object, _) = mutate([mutating(
        "1",
        &[("a.example.org", again("/a")), ("b.example.org", again("/b"))],
    )])
    .await
    .unwrap();
    assert_eq!(object["data"]["trace"], "abab");
    let (object, _) = mutate([mutating("1", &[("a.example.org", again("/a"))])])
        .await
        .unwrap();
    assert_eq!(object["data"]["trace"], "a", "nobody changed it since");
}

#[tokio::test]
async fn a_webhook_may_not_change_what_the_object_is() {
    let rename: Handler =
        Box::new(|_| patch(&json!([{"op": "replace", "path": "/metadata/name", "value": "other"}])));
    let broken: Handler = Box::new(|_| patch(&json!([{"op": "remove", "path": "/nowhere"}])));
    let server = Server::start([("/rename", rename), ("/broken", broken)]).await;
    for (path, part) in [
        ("/rename", "metadata.name"),
        ("/broken", "sent a patch that fails"),
    ] {
        let webhook = ("w.example.org", json!({"clientConfig": server.at(path)}));
        let refused = mutate([mutating("1", &[webhook])]).await.unwrap_err();
        assert_eq!(refused.code, 500);
        assert!(refused.message.contains(part), "{refused}");
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_be_asked_fails_the_write_unless_it_may_be_ignored() {
    let wrong_uid: Handler = Box::new(|_| json!({"allowed": true, "uid": "somebody else's"}));
    let patches: Handler = Box::new(|_| patch(&json!([])));
    let server = Server::start([allow(), ("/uid", wrong_uid), ("/patch", patches)]).await;
    let stranger = Server::start([allow()]).await;
    // Bound but not listening: nobody else gets the port, and nobody answers there.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = silent.local_addr().unwrap().port();
    let nobody = json!({"url": format!("https://127.0.0.1:{closed}/"), "caBundle": server.ca_bundle});
    let untrusted = json!({"url": server.at("/allow")["url"], "caBundle": stranger.ca_bundle});
    let blind = json!({"url": server.at("/allow")["url"]});
    let nowhere = json!({"service": {"namespace": "tf", "name": "guard"}, "caBundle": server.ca_bundle});
    for (config, part) in [
        (nobody, "dial tcp"),
        (untrusted, "tls: "),
        (blind, "caBundle"),
        (nowhere, "service \"guard\" not found"),
        (server.at("/gone"), "HTTP status 502"),
        (server.at("/uid"), "expected response.uid="),
        (server.at("/patch"), "may not return response.patch"),
    ] {
        let with = |policy: &str| {
            validating(&[(
                "w.example.org",
                json!({"clientConfig": config, "failurePolicy": policy}),
            )])
        };
        let failed = validate([with("Fail")]).await.unwrap_err();
        assert_eq!((failed.code, failed.reason), (500, "InternalError"));
        let start = "Internal error occurred: failed calling webhook \"w.example.org\": ";
        assert!(
            failed.message.starts_with(start) && failed.message.contains(part),
            "{failed}"
        );
        assert_eq!(validate([with("Ignore")]).await, Ok(Vec::new()), "{config}");
    }
}

#[tokio::test]
async fn a_webhook_that_never_answers_is_given_up_after_its_timeout() {
    let server = Server::start([]).await;
    let webhook = json!({"clientConfig": server.at("/never"), "timeoutSeconds": 1});
    let failed = validate([validating(&[("w.example.org", webhook)])])
        .await
        .unwrap_err();
    let url = format!("https://127.0.0.1:{}/never?timeout=1s", server.port);
    assert_eq!(
        failed.message,
        format!(
            "Internal error occurred: failed calling webhook \"w.example.org\": failed to call webhook: \
             Post \"{url}\": context deadline exceeded"
        )
    );
}

#[tokio::test]
async fn a_webhook_behind_a_service_is_found_through_its_endpoints() {
    let server = Server::start([allow()]).await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "guard", "namespace": "tf"},
        "spec": {"ports": [{"name": "https", "port": 443}]},
    });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "guard-1", "namespace": "tf", "labels": {"kubernetes.io/service-name": "guard"}},
        "ports": [{"name": "https", "port": server.port}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}],
    });
    let service_form = json!({"namespace": "tf", "name": "guard", "path": "/allow"});
    let config = json!({"service": service_form, "caBundle": server.ca_bundle});
    let warnings = validate([
        service,
        slice,
        validating(&[("w.example.org", json!({ "clientConfig": config }))]),
    ])
    .await;
    assert_eq!(warnings, Ok(vec!["think twice".to_owned()]));
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = Server::start([allow()]).await;
    let world = Stored::with([validating(&[(
        "w.example.org",
        json!({"clientConfig": server.at("/allow")}),
    )])]);
    let chain = Chain::new(world);
    for _ in 0..20 {
        assert!(chain.validate(&create(), Some(&config_map()), None).await.is_ok());
    }
    assert_eq!(server.script.connections.lock().unwrap().len(), 1);
}

/// Answers one request per connection and then hangs up without a word.
async fn hang_up_after_each_answer(listener: TcpListener, tls: TlsAcceptor) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(tls.accept(stream).await.unwrap());
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let review: Value = serde_json::from_slice(&body).unwrap();
        let response = json!({"uid": review["request"]["uid"], "allowed": true});
        let answer =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
        let answer = answer.to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream
            .write_all(format!("{head}{answer}").as_bytes())
            .await
            .unwrap();
        stream.flush().await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_the_webhook_has_closed_is_replaced() {
    let authority = Authority::create("webhook test").unwrap();
    let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
    let mut tls = toolforge_pki::server_config(&identity, None).unwrap();
    tls.alpn_protocols = Vec::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(hang_up_after_each_answer(
        listener,
        TlsAcceptor::from(Arc::new(tls)),
    ));
    let config = json!({"url": url, "caBundle": STANDARD.encode(authority.certificate_pem())});
    let chain = Chain::new(Stored::with([validating(&[(
        "w.example.org",
        json!({ "clientConfig": config }),
    )])]));
    for _ in 0..10 {
        assert_eq!(
            chain.validate(&create(), Some(&config_map()), None).await,
            Ok(Vec::new())
        );
    }
}

#[tokio::test]
async fn a_dry_run_asks_only_webhooks_without_side_effects() {
    let server = Server::start([allow()]).await;
    let with = |effects: &str| {
        validating(&[(
            "w.example.org",
            json!({"clientConfig": server.at("/allow"), "sideEffects": effects}),
        )])
    };
    let mut dry = create();
    dry.dry_run = true;
    for effects in ["None", "NoneOnDryRun"] {
        let chain = Chain::new(Stored::with([with(effects)]));
        assert!(chain.validate(&dry, Some(&config_map()), None).await.is_ok());
    }
    let chain = Chain::new(Stored::with([with("Some")]));
    let refused = chain.validate(&dry, Some(&config_map()), None).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            400,
            "admission webhook \"w.example.org\" does not support dry run"
        )
    );
}

#[tokio::test]
async fn many_writers_at_once_are_all_answered() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let count: Handler = Box::new(|_| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        json!({"allowed": true})
    });
    let server = Server::start([("/count", count)]).await;
    let world = Stored::with([validating(&[(
        "w.example.org",
        json!({"clientConfig": server.at("/count")}),
    )])]);
    let chain = Arc::new(Chain::new(world));
    let writers: Vec<_> = (0..50)
        .map(|_| {
            let chain = Arc::clone(&chain);
            tokio::spawn(async move { chain.validate(&create(), Some(&config_map()), None).await })
        })
        .collect();
    for writer in writers {
        assert_eq!(writer.await.unwrap(), Ok(Vec::new()));
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), 50);
}

#[tokio::test]
async fn the_configurations_themselves_can_always_be_repaired() {
    let rule = json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]});
    let broken = json!({"clientConfig": {"url": "https://127.0.0.1:1/"}, "rules": [rule]});
    let chain = Chain::new(Stored::with([validating(&[("w.example.org", broken)])]));
    let group = "admissionregistration.k8s.io";
    let repair = attributes(group, "ValidatingWebhookConfiguration", Operation::Delete);
    assert_eq!(
        chain.validate(&repair, None, Some(&json!({}))).await,
        Ok(Vec::new())
    );
    assert!(
        chain
            .validate(&create(), Some(&config_map()), None)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_webhook_is_asked_when_its_conditions_are_true_and_leaves_annotations() {
    let annotate: Handler = Box::new(|_| json!({"allowed": true, "auditAnnotations": {"color": "blue"}}));
    let server = Server::start([("/a", annotate)]).await;
    let with = |name: &str, expression: &str| {
        let conditions = json!([{"name": "c", "expression": expression}]);
        validating(&[(
            name,
            json!({"clientConfig": server.at("/a"), "matchConditions": conditions}),
        )])
    };
    let create = create();
    let chain = Chain::new(Stored::with([with(
        "a.example.org",
        "object.metadata.name == 'new'",
    )]));
    chain.validate(&create, Some(&config_map()), None).await.unwrap();
    assert_eq!(create.annotations.read()["a.example.org/color"], "blue");
    assert_eq!(
        validate([with("b.example.org", "request.operation == 'DELETE'")]).await,
        Ok(vec![])
    );
    assert_eq!(server.paths().len(), 1, "the second was not asked");
    let refused = validate([with("c.example.org", "object.data.size == '1'")])
        .await
        .unwrap_err();
    assert_eq!(refused.code, 403);
    assert!(
        refused.message.starts_with(
            "configmaps \"new\" is forbidden: expression 'object.data.size == '1'' resulted in error"
        ),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn the_log_is_told_which_webhook_changed_the_object_and_which_was_passed_by() {
    let server = Server::start([("/a", trace("a")), allow()]).await;
    let nowhere = json!({"clientConfig": {"url": "https://127.0.0.1:1/", "caBundle": server.ca_bundle}, "failurePolicy": "Ignore"});
    let chain = Chain::new(Stored::with([mutating(
        "m",
        &[
            ("a.example.org", json!({"clientConfig": server.at("/a")})),
            ("b.example.org", json!({"clientConfig": server.at("/allow")})),
            ("c.example.org", nowhere),
        ],
    )]));
    let create = create();
    chain.mutate(&create, Some(config_map()), None).await.unwrap();
    let found = create.annotations.read();
    let told = |index: usize| -> Value {
        serde_json::from_str(&found[&format!("mutation.webhook.admission.k8s.io/round_0_index_{index}")])
            .unwrap()
    };
    assert_eq!(
        told(0),
        json!({"configuration": "m", "webhook": "a.example.org", "mutated": true})
    );
    assert_eq!(
        told(1),
        json!({"configuration": "m", "webhook": "b.example.org", "mutated": false})
    );
    assert_eq!(
        found["failed-open.mutating.webhook.admission.k8s.io/round_0_index_2"],
        "c.example.org"
    );
}
