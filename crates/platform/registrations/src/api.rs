//! The API over HTTPS: a tool shows the certificate that the cluster has issued to it, and sees, registers and takes back
//! what is its own. What it cannot have is told as problem details (RFC 9457), with field, rule and the way out.

mod problem;
mod requests;

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderValue, StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_model::ToolName;
use toolforge_serve::Peer;

use crate::{
    Claim, Event, Fault,
    limits::{API_CONNECTIONS, BODY_BYTES},
    owner::Owner,
    shown::url,
    store::{Store, StoreError, Wanted},
};
use problem::Problem;
use requests::Body;

type Answer = Result<Response, Problem>;

/// Serves until `shutdown`. TLS must verify certificates of clients.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    store: Arc<Store>,
    shutdown: CancellationToken,
) {
    let router = router(store);
    let served = toolforge_serve::serve_at_most(API_CONNECTIONS, listener, Some(tls), router, shutdown);
    if let Err(error) = served.await {
        tracing::error!(%error, "the API of registrations is not served any more");
    }
}

fn router(store: Arc<Store>) -> Router {
    let one = || get(show).put(register).delete(unregister);
    Router::new()
        .route("/v1/registrations", get(all))
        .route("/v1/tools/{tool}/registrations", get(of_tool))
        .route("/v1/tools/{tool}/patterns/{pattern}", one())
        .route("/v1/tools/{tool}/hosts/{host}", one())
        .route("/v1/tools/{tool}/hosts/{host}/", one())
        .route("/v1/tools/{tool}/hosts/{host}/{*path}", one())
        .method_not_allowed_fallback(async || Problem::method())
        .fallback(async || Problem::no_such_url())
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(store)
}

/// The segments of a URL that names a registration.
#[derive(Debug, serde::Deserialize)]
struct Place {
    tool: String,
    pattern: Option<String>,
    host: Option<String>,
    path: Option<String>,
}

async fn all(State(store): State<Arc<Store>>, Extension(peer): Extension<Peer>) -> Answer {
    let shown = match owner(&store, &peer)? {
        Owner::Operator => store.shown(None),
        Owner::Tool(tool) => store.shown(Some(&tool)),
        Owner::Nobody(name) => return Err(refused(&store, Problem::nobody(&name))),
    };
    Ok(Json(json!({ "registrations": shown })).into_response())
}

async fn of_tool(
    State(store): State<Arc<Store>>,
    Extension(peer): Extension<Peer>,
    Path(tool): Path<String>,
) -> Answer {
    let tool = tool_of(&store, &peer, &tool)?;
    Ok(Json(json!({ "registrations": store.shown(Some(&tool)) })).into_response())
}

async fn show(
    State(store): State<Arc<Store>>,
    Extension(peer): Extension<Peer>,
    Path(place): Path<Place>,
) -> Answer {
    let tool = tool_of(&store, &peer, &place.tool)?;
    let claim = claim_of(&store, &tool, &place)?;
    let shown = store
        .one(&tool, &claim)
        .ok_or_else(|| Problem::not_registered(&tool, &claim))?;
    Ok(Json(shown).into_response())
}

async fn register(
    State(store): State<Arc<Store>>,
    Extension(peer): Extension<Peer>,
    Path(place): Path<Place>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Answer {
    let tool = tool_of(&store, &peer, &place.tool)?;
    if owner(&store, &peer)? != Owner::Tool(tool.clone()) {
        return Err(refused(&store, Problem::not_for_operators(&tool)));
    }
    let body = Body::read(&body.map_err(|_| Problem::too_large())?)
        .map_err(|reason| refused(&store, Problem::unreadable(&reason)))?;
    // All that is wrong is told at once.
    let claim = claim_faults(&store.names(), &tool, &place);
    let body = body.resolve();
    let (claim, (destination, check_path, is_canonical)) = match (claim, body) {
        (Ok(claim), Ok(body)) => (claim, body),
        (claim, body) => {
            let mut faults = claim.err().unwrap_or_default();
            faults.extend(body.err().unwrap_or_default());
            return Err(refused(&store, Problem::faults(faults)));
        }
    };
    let wanted = Wanted {
        tool: tool.clone(),
        claim: claim.clone(),
        destination,
        from: peer.address,
        is_canonical: Some(is_canonical),
        check_path,
    };
    let is_new = store.register(wanted).await.map_err(|error| match error {
        StoreError::Fault(fault) => refused(&store, Problem::faults(vec![fault])),
        StoreError::Full(full) => refused(&store, Problem::full(full)),
        StoreError::Disk(error) => Problem::not_kept(&error),
    })?;
    let shown = store
        .one(&tool, &claim)
        .ok_or_else(|| Problem::not_registered(&tool, &claim))?;
    if !is_new {
        return Ok(Json(shown).into_response());
    }
    let mut response = (StatusCode::CREATED, Json(shown)).into_response();
    if let Ok(location) = HeaderValue::from_str(&url(&tool, &claim)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn unregister(
    State(store): State<Arc<Store>>,
    Extension(peer): Extension<Peer>,
    Path(place): Path<Place>,
) -> Answer {
    let tool = tool_of(&store, &peer, &place.tool)?;
    let claim = claim_of(&store, &tool, &place)?;
    match store.unregister(&tool, &claim).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(false) => Err(Problem::not_registered(&tool, &claim)),
        Err(error) => Err(Problem::not_kept(&error)),
    }
}

/// Who asks.
fn owner(store: &Store, peer: &Peer) -> Result<Owner, Problem> {
    let certificate = peer.certificate.as_deref();
    let owner = certificate.and_then(|certificate| Owner::of(certificate, &store.rules().operator_groups));
    owner.ok_or_else(|| refused(store, Problem::no_certificate()))
}

/// The tool of a URL, if it is a matter of whoever asks.
fn tool_of(store: &Store, peer: &Peer, name: &str) -> Result<ToolName, Problem> {
    let owner = owner(store, peer)?;
    let tool = name.parse::<ToolName>().ok().filter(|tool| owner.may_see(tool));
    tool.ok_or_else(|| refused(store, Problem::not_yours(&owner, name)))
}

fn claim_of(store: &Store, tool: &ToolName, place: &Place) -> Result<Claim, Problem> {
    claim_faults(&store.names(), tool, place)
        .or_else(|faults| kept(store, tool, place).ok_or(faults))
        .map_err(|faults| refused(store, Problem::faults(faults)))
}

/// What the tool has registered at a host that by now is not its own.
fn kept(store: &Store, tool: &ToolName, place: &Place) -> Option<Claim> {
    let claim = Claim::Path {
        host: place.host.clone()?,
        path: format!("/{}", place.path.as_deref().unwrap_or_default()),
    };
    store.one(tool, &claim).map(|_| claim)
}

fn claim_faults(names: &crate::Names, tool: &ToolName, place: &Place) -> Result<Claim, Vec<Fault>> {
    if let Some(pattern) = &place.pattern {
        return Claim::pattern(pattern).map_err(|fault| vec![fault]);
    }
    let host = place.host.as_deref().unwrap_or_default();
    let path = format!("/{}", place.path.as_deref().unwrap_or_default());
    Claim::path(tool, names, host, &path)
}

/// Counts a refusal.
fn refused(store: &Store, problem: Problem) -> Problem {
    store.figures.happened(Event::Refused);
    problem
}
