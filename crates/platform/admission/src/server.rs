//! The HTTPS server: one path per guard, health, readiness and metrics.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_figures::Process;
use toolforge_policy::Policies;
use toolforge_serve::Presented;

use crate::accounts::Accounts;
use crate::answer::Answered;
use crate::body::Room;
use crate::error::AdmissionError;
use crate::grants::Grants;
use crate::guard::Guard;
use crate::metrics::{Metrics, Reviewed};
use crate::pods::Known;
use crate::review::{Review, ReviewError, document};

/// Connections at once: an API server keeps some dozens, and anybody who reaches the port can make one.
const CONNECTIONS: usize = 1024;

/// What all requests share. Behind one pointer: every request is handed it several times.
struct Shared {
    policies: Policies,
    accounts: Accounts,
    grants: Grants,
    metrics: Arc<Metrics>,
    certificate: Presented,
    room: Room,
}

/// Answers admission reviews on `listener` until `shutdown`.
///
/// The client must be allowed to get, list and watch namespaces, roles, their bindings, and Pod security policies.
/// `process` says whether the metrics tell of the process.
///
/// # Errors
/// When the listener fails.
pub async fn run(
    client: Client,
    listener: TcpListener,
    certificate: Presented,
    policies: Policies,
    process: Process,
    shutdown: CancellationToken,
) -> Result<(), AdmissionError> {
    let metrics = Arc::new(Metrics::new(process));
    let shared = Arc::new(Shared {
        policies,
        grants: Grants::follow(&client, &shutdown),
        accounts: Accounts::follow(client, Arc::clone(&metrics), shutdown.clone()),
        metrics,
        certificate,
        room: Room::new(),
    });
    tracing::info!(policies = ?shared.policies, "admission guards are up");
    let tls = shared.certificate.server_config();
    toolforge_serve::serve_at_most(CONNECTIONS, listener, Some(tls), router(shared), shutdown).await?;
    Ok(())
}

fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for guard in Guard::ALL {
        let handler = move |shared: State<Arc<Shared>>, request: Request| review(guard, shared, request);
        router = router.route(guard.path(), post(handler));
    }
    router
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(shared)
}

async fn review(guard: Guard, State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let held = match shared.room.read(request).await {
        Ok(held) => held,
        Err(error) => return unreadable(&shared, error.status(), error.reason(), &error.to_string()),
    };
    let began = Instant::now();
    let no_review = |error: ReviewError| {
        let (status, reason) = (StatusCode::BAD_REQUEST, error.reason());
        unreadable(&shared, status, reason, &error.to_string())
    };
    let document = match document(&held.bytes) {
        Ok(document) => document,
        Err(error) => return no_review(error),
    };
    let review = match Review::read(&document) {
        Ok(review) => review,
        Err(error) => return no_review(error),
    };
    let known = Known {
        accounts: &shared.accounts,
        grants: &shared.grants,
        everywhere: shared.policies.pod_everywhere,
    };
    let answer = match review.unanswerable() {
        Some(answer) => answer,
        // On the heap, so that what is handed through the layers of the server is small.
        None => Box::pin(guard.answer(&shared.policies, known, &review.request)).await,
    };
    if let Some(message) = answer.refusal() {
        let namespace = review.request.namespace.as_deref().unwrap_or_default();
        tracing::info!(guard = guard.name(), namespace, uid = review.request.uid.as_ref(), %message, "refused");
    }
    let reviewed = Reviewed {
        guard: guard.name(),
        operation: review.request.operation.name(),
        verdict: answer.name(),
    };
    let response = written(&review.answered(&answer));
    shared.metrics.answered(&reviewed, began.elapsed());
    response
}

/// The answer as it is sent, written in one piece.
fn written(answered: &Answered<'_>) -> Response {
    match answered.to_json() {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the answer cannot be written: {error}\n"),
        )
            .into_response(),
    }
}

fn unreadable(shared: &Shared, status: StatusCode, reason: &'static str, error: &str) -> Response {
    shared.metrics.unreadable(reason);
    tracing::debug!(%status, error, "a request that is no review");
    (status, format!("{error}\n")).into_response()
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let mut missing = Vec::new();
    if !shared.accounts.are_known() {
        missing.push("the namespaces of tools have not been read yet");
    }
    if !shared.grants.are_known() {
        missing.push("the Pod security policies and their grants have not been read yet");
    }
    if shared
        .certificate
        .not_after()
        .is_some_and(|ends| ends < SystemTime::now())
    {
        missing.push("the certificate has expired");
    }
    if missing.is_empty() {
        return "ok".into_response();
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("{}\n", missing.join("\n")),
    )
        .into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    toolforge_figures::answer(shared.metrics.registry(shared.certificate.not_after()))
}
