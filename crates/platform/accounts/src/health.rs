//! The HTTP server of the service: whether it lives, whether it is ready, and its figures.
//!
//! Plain HTTP, read only: there is nothing secret in it. `run.rs` starts it and tells it what the replica is at.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use parking_lot::Mutex;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use toolforge_figures::Process;
use toolforge_model::Chain;

use crate::{
    metrics::Metrics,
    report::{Ask, Report},
};

/// Connections at once: Prometheus and the kubelet have one each.
const CONNECTIONS: usize = 64;
/// A loop that has not answered by then does not turn: it never waits for anything but news.
const PATIENCE: Duration = Duration::from_secs(5);

/// What this replica is at.
#[derive(Clone, Debug)]
enum Stage {
    /// It does not know yet where the API is, or has not filled its caches.
    Starting,
    /// Another replica acts, the one of this name, or for the moment none.
    StandingBy(Option<String>),
    /// It may act, and its loop answers here.
    Leading(mpsc::Sender<Ask>),
}

/// What is told of the service to the outside.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) metrics: Arc<Metrics>,
    stage: Mutex<Stage>,
}

/// How an answer about the loop came out.
enum Answer {
    NoLoop,
    Silent,
    Turns(Report),
}

impl Health {
    pub(crate) fn new(process: Process) -> Arc<Self> {
        Arc::new(Self {
            metrics: Arc::new(Metrics::new(process)),
            stage: Mutex::new(Stage::Starting),
        })
    }

    /// From here on the loop at the other end is asked.
    pub(crate) fn leads(&self) -> mpsc::Receiver<Ask> {
        let (asks, asked) = mpsc::channel(1);
        *self.stage.lock() = Stage::Leading(asks);
        asked
    }

    /// From here on another replica acts.
    pub(crate) fn stands_by(&self, leader: Option<&str>) {
        *self.stage.lock() = Stage::StandingBy(leader.map(str::to_owned));
    }

    /// From here on this replica acts, as soon as it knows what there is.
    pub(crate) fn starts(&self) {
        *self.stage.lock() = Stage::Starting;
    }

    async fn ask(&self) -> Answer {
        let Stage::Leading(asks) = self.stage.lock().clone() else {
            return Answer::NoLoop;
        };
        let asked = async {
            let (answer, answered) = oneshot::channel();
            asks.send(answer).await.ok()?;
            answered.await.ok()
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Some(report)) => Answer::Turns(report),
            Ok(None) => Answer::NoLoop,
            Err(_) => Answer::Silent,
        }
    }
}

/// Answers on `listener` until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, health: Arc<Health>, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health);
    if let Err(error) = toolforge_serve::serve_at_most(CONNECTIONS, listener, None, router, shutdown).await {
        tracing::error!(error = %Chain(&error), "health and metrics are not served any more");
    }
}

async fn alive(State(health): State<Arc<Health>>) -> Response {
    match health.ask().await {
        Answer::Silent => unavailable("the loop does not turn"),
        Answer::NoLoop | Answer::Turns(_) => "ok".into_response(),
    }
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    if let Stage::StandingBy(leader) = &*health.stage.lock() {
        let leader = leader.as_deref().unwrap_or("nobody");
        return format!("ok: {leader} leads, this replica stands by").into_response();
    }
    match health.ask().await {
        Answer::Turns(report) if report.directory_read.is_some() => "ok".into_response(),
        Answer::Turns(_) => unavailable("the directory has not been read yet"),
        Answer::Silent => unavailable("the loop does not turn"),
        Answer::NoLoop => unavailable("the objects of the accounts have not been read yet"),
    }
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let report = match health.ask().await {
        Answer::Turns(report) => Some(report),
        Answer::NoLoop | Answer::Silent => None,
    };
    toolforge_figures::answer(health.metrics.registry(report.as_ref()))
}

fn unavailable(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
}
