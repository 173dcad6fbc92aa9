//! The HTTPS server: one path per guard, health and readiness.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_policy::Policies;

use crate::accounts::Accounts;
use crate::error::AdmissionError;
use crate::guard::Guard;
use crate::review::{Answer, Review};

/// The largest review in bytes: the API takes objects of 3 MiB, an update carries two, and there is some wrapping.
const LARGEST_REVIEW: usize = 8 << 20;

#[derive(Clone)]
struct Shared {
    policies: Arc<Policies>,
    accounts: Accounts,
}

/// Answers admission reviews on `listener` until `shutdown`.
///
/// The client must be allowed to get, list and watch namespaces.
pub async fn run(
    client: Client,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    policies: Policies,
    shutdown: CancellationToken,
) -> Result<(), AdmissionError> {
    let policies = Arc::new(policies);
    let accounts = Accounts::follow(client, shutdown.clone());
    tracing::info!(?policies, "admission guards are up");
    toolforge_serve::serve(
        listener,
        Some(tls),
        router(Shared { policies, accounts }),
        shutdown,
    )
    .await?;
    Ok(())
}

fn router(shared: Shared) -> Router {
    let guard = |guard: Guard| post(move |shared: State<Shared>, body: Bytes| review(guard, shared, body));
    Router::new()
        .route("/validate/ingress", guard(Guard::Ingress))
        .route("/validate/images", guard(Guard::Images))
        .route("/validate/pod", guard(Guard::Pod))
        .route("/validate/service", guard(Guard::Service))
        .route("/validate/endpoints", guard(Guard::Endpoints))
        .route("/validate/volumes", guard(Guard::Volumes))
        .route("/mutate/volumes", guard(Guard::MutateVolumes))
        .route("/mutate/pod", guard(Guard::MutatePod))
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .layer(DefaultBodyLimit::max(LARGEST_REVIEW))
        .with_state(shared)
}

async fn review(guard: Guard, State(shared): State<Shared>, body: Bytes) -> Response {
    let review = match Review::read(&body) {
        Ok(review) => review,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let answer = guard
        .answer(&shared.policies, &shared.accounts, &review.request)
        .await;
    if let Answer::Deny(message) | Answer::Later(message) = &answer {
        let namespace = review.request.namespace.as_deref().unwrap_or_default();
        tracing::info!(?guard, namespace, uid = review.request.uid, message, "refused");
    }
    Json(review.answered(&answer)).into_response()
}

async fn ready(State(shared): State<Shared>) -> Response {
    if shared.accounts.are_known() {
        "ok".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the namespaces of tools have not been read yet\n",
        )
            .into_response()
    }
}
