//! The pages as the gateway meets them: over a socket, with an API behind that comes and goes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolforge_status::{Config, run_fourohfour};

/// A served set of pages, and the API behind it, which can be taken away.
struct Pages {
    address: String,
    client: reqwest::Client,
    api_is_there: watch::Sender<bool>,
    /// How often the API was asked in vain.
    refusals: watch::Receiver<u32>,
    shutdown: CancellationToken,
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Pages {
    async fn start(api_is_there: bool) -> Self {
        toolforge_pki::install_provider();
        let (api_is_there, there) = watch::channel(api_is_there);
        let (refused, refusals) = watch::channel(0);
        let api = Router::new()
            .route("/api/v1/namespaces", get(namespaces))
            .with_state(Api { there, refused });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        let config = Config {
            domain: "toolforge.org".parse().unwrap(),
        };
        tokio::spawn(run_fourohfour(
            kube::Client::new(api, "default"),
            listener,
            config,
            None,
            shutdown.clone(),
        ));
        Self {
            address,
            client: reqwest::Client::new(),
            api_is_there,
            refusals,
            shutdown,
        }
    }

    /// Pages that know their tools.
    async fn ready() -> Self {
        let pages = Self::start(true).await;
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        while pages
            .ask("alpha.toolforge.org", "/")
            .await
            .1
            .contains("not_known_yet")
        {
            assert!(
                tokio::time::Instant::now() < deadline,
                "the tools were never known"
            );
            tokio::task::yield_now().await;
        }
        pages
    }

    fn request(&self, host: &str, path: &str) -> reqwest::RequestBuilder {
        self.client
            .get(format!("http://{}{path}", self.address))
            .header("host", host)
    }

    /// Status and body in JSON.
    async fn ask(&self, host: &str, path: &str) -> (u16, String) {
        let answer = self
            .request(host, path)
            .header("accept", "application/json")
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[derive(serde::Deserialize)]
struct ListQuery {
    watch: Option<String>,
}

#[derive(Clone)]
struct Api {
    there: watch::Receiver<bool>,
    refused: watch::Sender<u32>,
}

async fn namespaces(State(api): State<Api>, Query(query): Query<ListQuery>) -> Response {
    let mut there = api.there;
    if !*there.borrow() {
        api.refused.send_modify(|refused| *refused += 1);
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if query.watch.is_some() {
        let gone = async move {
            let _ = there.wait_for(|there| !there).await;
        };
        let silence = futures::stream::pending::<Result<String, Infallible>>().take_until(gone);
        return Body::from_stream(silence.boxed()).into_response();
    }
    let maintainers = json!([{"uid": "ada", "name": "Ada Lovelace"}]).to_string();
    let annotations = json!({"toolforge.org/maintainers": maintainers});
    let metadata = json!({"name": "tool-alpha", "annotations": annotations});
    let items = [json!({"metadata": metadata})];
    let list = json!({"apiVersion": "v1", "kind": "NamespaceList", "metadata": {"resourceVersion": "1"}, "items": items});
    Json(list).into_response()
}

#[tokio::test]
async fn an_unknown_tool_is_not_found_with_a_suggestion() {
    let pages = Pages::ready().await;
    let answer = pages
        .request("alhpa.toolforge.org:8443", "/x")
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["x-robots-tag"], "noindex, nofollow");
    let body = answer.text().await.unwrap();
    assert!(body.contains("The URL you have requested"), "{body}");
    assert!(
        body.contains("href=\"https://alpha.toolforge.org:8443/\""),
        "{body}"
    );
}

#[tokio::test]
async fn a_tool_without_webservice_is_named_with_its_maintainers() {
    let pages = Pages::ready().await;
    let answer = pages.request("alpha.toolforge.org", "/").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let body = answer.text().await.unwrap();
    for words in ["No webservice", "alpha", "Ada Lovelace", "webservice start"] {
        assert!(body.contains(words), "{words} not in {body}");
    }
}

#[tokio::test]
async fn the_gateways_status_is_kept_for_a_tool_that_does_not_answer() {
    let pages = Pages::ready().await;
    for code in ["502", "503", "504"] {
        let request = pages
            .request("alpha.toolforge.org", "/")
            .header("x-code", code)
            .header("accept", "text/plain");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_str(), code);
        assert!(answer.text().await.unwrap().contains("webservice restart"));
    }
}

#[tokio::test]
async fn what_the_visitor_asked_for_is_taken_from_the_gateway_and_escaped() {
    let pages = Pages::ready().await;
    let request = pages
        .request("nope.toolforge.org", "/")
        .header("x-original-uri", "/<script>alert(1)</script>");
    let body = request.send().await.unwrap().text().await.unwrap();
    assert!(body.contains("/&#60;script&#62;alert(1)"), "{body}");
    assert!(!body.contains("<script>"), "{body}");
}

#[tokio::test]
async fn the_last_known_tools_are_served_when_the_api_is_gone() {
    let mut pages = Pages::ready().await;
    pages.api_is_there.send_replace(false);
    let asked_in_vain = pages.refusals.wait_for(|refusals| *refusals > 0);
    tokio::time::timeout(Duration::from_mins(1), asked_in_vain)
        .await
        .unwrap()
        .unwrap();
    let (status, body) = pages.ask("alpha.toolforge.org", "/").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &body["reason"], &body["maintainers"][0]),
        (503, &json!("no_webservice"), &json!("Ada Lovelace"))
    );
}

#[tokio::test]
async fn without_any_api_nothing_wrong_is_said() {
    let pages = Pages::start(false).await;
    let (status, body) = pages.ask("alpha.toolforge.org", "/").await;
    assert_eq!(status, 503);
    assert!(body.contains("not_known_yet"), "{body}");
    assert_eq!(pages.ask("toolforge.org", "/").await.0, 200);
}

#[tokio::test]
async fn the_health_check_is_for_operators_and_never_speaks_for_a_tool() {
    let pages = Pages::ready().await;
    for host in [pages.address.as_str(), "fourohfour.tool-fourohfour.svc"] {
        assert_eq!(pages.ask(host, "/healthz").await, (200, "ok".to_owned()));
    }
    assert_eq!(pages.ask("alpha.toolforge.org", "/healthz").await.0, 503);
    assert_eq!(pages.ask("nope.toolforge.org", "/healthz").await.0, 404);
    assert_eq!(pages.ask("www.alpha.toolforge.org", "/healthz").await.0, 404);
}

#[tokio::test]
async fn other_methods_are_answered_alike() {
    let pages = Pages::ready().await;
    let url = format!("http://{}/", pages.address);
    let post = pages
        .client
        .post(&url)
        .header("host", "nope.toolforge.org")
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(post.status(), 404);
    let head = pages
        .client
        .head(&url)
        .header("host", "nope.toolforge.org")
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 404);
    assert!(head.text().await.unwrap().is_empty());
}
