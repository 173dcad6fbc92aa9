use std::time::{Duration, SystemTime};

use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewStatus};
use toolforge_pki::{Authority, Certified};

use super::door::{ADMINS, API, may_ask};
use super::*;
use crate::{
    config::SESSION_SILENCE, process::ProcessRuntime, protection::detect_protection, runtime::ContainerPlace,
};

/// How long a condition may take on a loaded machine.
const DEADLINE: Duration = Duration::from_mins(1);

fn certified(name: &str, groups: &[&str]) -> Certified {
    let organizations = groups.iter().map(|group| (*group).to_owned()).collect();
    let (not_before, not_after) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
    Certified {
        common_name: name.to_owned(),
        organizations,
        not_before,
        not_after,
    }
}

#[test]
fn only_the_api_and_admins_may_ask() {
    assert!(may_ask(&certified(API, &[])));
    assert!(may_ask(&certified("admin", &[ADMINS])));
    assert!(!may_ask(&certified("tool", &["toolforge"])));
    assert!(!may_ask(&certified("system:node:one", &["system:nodes"])));
}

/// A server with one log, and what talks to it.
struct Open {
    authority: Authority,
    logs: Arc<LogStore>,
    url: String,
    shutdown: CancellationToken,
    _state: tempfile::TempDir,
}

/// The cluster's API, which lets one user look at the figures of the node "one" and nobody else at anything.
fn api_that_lets(user: &'static str) -> kube::Client {
    let answer = move |request: http::Request<kube::client::Body>| async move {
        let bytes = request.into_body().collect_bytes().await.expect("body");
        let mut review: SubjectAccessReview = serde_json::from_slice(&bytes).expect("a review");
        let wanted = review.spec.resource_attributes.clone().expect("a resource");
        let right = [wanted.verb, wanted.resource, wanted.subresource, wanted.name];
        let right: Vec<String> = right.into_iter().flatten().collect();
        review.status = Some(SubjectAccessReviewStatus {
            allowed: review.spec.user.as_deref() == Some(user) && right == ["get", "nodes", "metrics", "one"],
            ..SubjectAccessReviewStatus::default()
        });
        let body = kube::client::Body::from(serde_json::to_vec(&review).expect("json"));
        Ok::<_, std::convert::Infallible>(http::Response::new(body))
    };
    kube::Client::new(tower::service_fn(answer), "default")
}

async fn open() -> Open {
    toolforge_pki::install_provider();
    let state = tempfile::tempdir().expect("folder");
    let logs = Arc::new(LogStore::open(state.path()).expect("logs"));
    let authority = Authority::create("test").expect("authority");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
    let url = format!("https://{}", listener.local_addr().expect("address"));
    let identity = authority.issue_server(&["127.0.0.1"]).expect("identity");
    let shutdown = CancellationToken::new();
    let (ca, served, stop) = (
        authority.certificate_pem().to_owned(),
        logs.clone(),
        shutdown.clone(),
    );
    let api = ("127.0.0.1".to_owned(), 6443);
    let folder = state.path().to_owned();
    let protection = detect_protection();
    let runtime = ProcessRuntime::new("/no/such/bin".into(), folder, api, &protection, None);
    let meter = Meter {
        node: "one".to_owned(),
        machine: crate::machine::Machine::detect(),
        controllers: protection.controllers,
    };
    let paths = Server::new(
        Arc::new(runtime.expect("runtime")),
        served,
        meter,
        Door::new(api_that_lets("monitor"), "one".to_owned()),
        SESSION_SILENCE,
        stop,
    );
    tokio::spawn(async move { serve(listener, &identity, &ca, paths).await });
    Open {
        authority,
        logs,
        url,
        shutdown,
        _state: state,
    }
}

impl Open {
    fn client(&self, name: &str, groups: &[&str]) -> reqwest::Client {
        let identity = self.authority.issue_client(name, groups).expect("identity");
        let tls =
            toolforge_pki::client_config(self.authority.certificate_pem(), Some(&identity)).expect("tls");
        reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .build()
            .expect("client")
    }

    async fn ask(&self, client: &reqwest::Client, path: &str) -> reqwest::Response {
        let asked = client.get(format!("{}{path}", self.url)).send();
        tokio::time::timeout(DEADLINE, asked)
            .await
            .expect("in time")
            .expect("answer")
    }

    fn place(&self) -> ContainerPlace {
        let text = |text: &str| text.to_owned();
        self.logs.register("n", "p", "u", &["c"]);
        ContainerPlace {
            namespace: text("n"),
            pod: text("p"),
            pod_uid: text("u"),
            container: text("c"),
            attempt: 0,
        }
    }
}

#[tokio::test]
async fn logs_are_for_the_api_only() {
    let open = open().await;
    let sink = open.logs.create(&open.place()).expect("log");
    sink.write(false, b"one\ntwo\n");
    let path = "/containerLogs/n/p/c?tailLines=1";
    let tool = open.ask(&open.client("tool", &["toolforge"]), path).await;
    assert_eq!(tool.status().as_u16(), 403);
    let api = open.ask(&open.client(API, &[]), path).await;
    assert_eq!(api.text().await.expect("text"), "two\n");
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_kubelets_words() {
    let open = open().await;
    let client = open.client(API, &[]);
    let unknown = open.ask(&client, "/containerLogs/n/p/c").await;
    assert_eq!(unknown.status().as_u16(), 404);
    open.place();
    assert_eq!(
        open.ask(&client, "/containerLogs/n/p/x").await.status().as_u16(),
        404
    );
    let early = open.ask(&client, "/containerLogs/n/p/c").await;
    assert_eq!(early.status().as_u16(), 400);
    let text = early.text().await.expect("text");
    assert_eq!(
        text,
        "container \"c\" in pod \"p\" is waiting to start: ContainerCreating"
    );
    assert_eq!(
        open.ask(&client, "/containerLogs/n/p/c?tailLines=x")
            .await
            .status()
            .as_u16(),
        400
    );
}

#[tokio::test]
async fn a_followed_log_ends_with_the_container_and_with_the_node() {
    let open = open().await;
    let client = open.client(API, &[]);
    let sink = open.logs.create(&open.place()).expect("log");
    sink.write(false, b"one\n");
    let mut first = open.ask(&client, "/containerLogs/n/p/c?follow=true").await;
    let mut second = open.ask(&client, "/containerLogs/n/p/c?follow=true").await;
    for answer in [&mut first, &mut second] {
        let piece = tokio::time::timeout(DEADLINE, answer.chunk())
            .await
            .expect("in time")
            .expect("piece");
        assert_eq!(piece.as_deref(), Some(b"one\n".as_slice()));
    }
    open.shutdown.cancel();
    let rest = tokio::time::timeout(DEADLINE, first.chunk())
        .await
        .expect("the stream ends");
    assert!(matches!(rest, Ok(None) | Err(_)));
    sink.close();
}

#[tokio::test]
async fn figures_are_for_the_api_and_for_who_may_get_nodes_metrics() {
    let open = open().await;
    let api = open.client(API, &[]);
    let monitor = open.client("monitor", &[]);
    let tool = open.client("tool", &["toolforge"]);
    for path in ["/metrics", "/metrics/resource", "/metrics/cadvisor"] {
        assert_eq!(open.ask(&tool, path).await.status().as_u16(), 403, "{path}");
        for client in [&api, &monitor] {
            let answer = open.ask(client, path).await;
            assert_eq!(answer.status().as_u16(), 200, "{path}");
            assert!(!answer.text().await.expect("text").is_empty(), "{path}");
        }
    }
    for path in ["/stats/summary", "/containerLogs/n/p/c", "/exec/n/p/c"] {
        assert_eq!(open.ask(&monitor, path).await.status().as_u16(), 403, "{path}");
    }
    assert_eq!(open.ask(&api, "/stats/summary").await.status().as_u16(), 200);
}
