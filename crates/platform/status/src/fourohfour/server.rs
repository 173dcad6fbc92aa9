//! The server behind the gateway.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_figures::Door;
use toolforge_model::{Domain, host_name, labels};

use super::figures::Figures;
use super::known::{Follower, Known};
use super::page::{Visit, page};
use super::render::render;
use crate::accept::Form;

/// Where the gateway says what the visitor asked for, if it changed the path.
const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
/// Where the gateway says with which status it gave up.
const CODE: HeaderName = HeaderName::from_static("x-code");
/// Path of the health check.
const HEALTH: &str = "/healthz";
/// The pages have styles of their own and nothing else; nobody may frame them.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What every page says of itself.
static HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::VARY, "Accept"),
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// What the operator says about these pages.
#[derive(Clone, Debug)]
pub struct Config {
    /// The domain under which tools have their host names.
    pub domain: Domain,
}

/// Why the pages are not served.
#[derive(Debug, thiserror::Error)]
pub enum FourohfourError {
    /// The listener failed.
    #[error("the fourohfour pages cannot be served")]
    Serve(#[from] std::io::Error),
}

struct Shared {
    domain: Domain,
    known: Arc<Known>,
    figures: Figures,
}

/// Serves the pages in plain HTTP on `listener`, for the gateway, until `shutdown`.
///
/// The client must be allowed to list and watch namespaces. `door` is where figures are told; `None` tells nobody.
pub async fn run_fourohfour(
    client: Client,
    listener: TcpListener,
    config: Config,
    door: Option<Door>,
    shutdown: CancellationToken,
) -> Result<(), FourohfourError> {
    let known = Arc::new(Known::default());
    tokio::spawn(
        shutdown
            .clone()
            .run_until_cancelled_owned(follow(client, Arc::clone(&known))),
    );
    let figures = Figures::default();
    if let Some(door) = door {
        tokio::spawn(door.serve(figures.registry(&known), shutdown.clone()));
    }
    let router = Router::new().fallback(answer).with_state(Arc::new(Shared {
        domain: config.domain,
        known,
        figures,
    }));
    toolforge_serve::serve(listener, None, router, shutdown).await?;
    Ok(())
}

/// Keeps the list of tools; while the API is gone the last one stays.
async fn follow(client: Client, known: Arc<Known>) {
    let ours = watcher::Config::default().labels(&format!("{}={}", labels::TENANCY, labels::TENANCY_TOOL));
    let mut events = toolforge_watch::watch(Api::<Namespace>::all(client), ours);
    let mut follower = Follower::new(known);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => follower.apply(event),
            Err(error) => tracing::warn!(error = %error, "the tools cannot be watched; trying again"),
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // HTTP/2 has the host in the URI.
    let host = text(header::HOST)
        .or_else(|| uri.authority().map(Authority::as_str))
        .unwrap_or_default();
    if uri.path() == HEALTH && !is_under(&shared.domain, host) {
        return "ok".into_response();
    }
    let asked = uri.path_and_query().map_or("/", |asked| asked.as_str());
    let visit = Visit {
        host,
        uri: text(ORIGINAL_URI)
            .filter(|uri| uri.starts_with('/'))
            .unwrap_or(asked),
        code: text(CODE).and_then(|code| code.parse().ok()),
    };
    let page = page(visit, &shared.domain, shared.known.tools().as_deref());
    let form = Form::wanted(text(header::ACCEPT).unwrap_or_default());
    let mut response = Response::new(Body::from(render(&page, form)));
    *response.status_mut() = StatusCode::from_u16(page.status).unwrap_or(StatusCode::NOT_FOUND);
    shared.figures.answered(response.status().as_u16());
    let own = response.headers_mut();
    own.reserve(HEADERS.len() + 1);
    own.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(form.content_type()),
    );
    for (name, value) in &HEADERS {
        own.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a visitor asked for this host: health checks come by address or by the Service's name, and a tool's own
/// `/healthz` must not seem well when there is no tool.
fn is_under(domain: &Domain, host: &str) -> bool {
    let below = |host: String| {
        host.strip_suffix(domain.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    host_name(host).is_some_and(below)
}
