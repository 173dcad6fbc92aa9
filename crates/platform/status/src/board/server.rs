//! The server of the pages, behind the gateway.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream::{self, Stream};
use jiff::Timestamp;
use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_figures::Door;

use crate::accept;
use crate::board::{
    config::BoardConfig,
    copies::{Basis, Copies},
    figures::Figures,
    follow::{self, Shared},
    pages::{self, Form, Moment, Page, Seen},
    pulse::{self, Pulse, SILENCE},
    route::Route,
    traffic::{self, TrafficFile},
    usage,
    world::Place,
};

/// The pages bring their styles and their script along, and nothing comes from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// A page that changes all the time is fetched at most this often.
const LIVE_PAUSE: Duration = Duration::from_secs(1);
/// Even when nothing changes, ages do; and a banner must come though no change does.
const LIVE_AT_LEAST: Duration = Duration::from_secs(5);
/// So long after a start a visitor waits for all objects to be read, rather than be told that nothing is known.
const START: Duration = Duration::from_secs(3);
const STYLE: &str = include_str!("../../assets/style.css");
const SCRIPT: &str = include_str!("../../assets/live.js");
/// Nothing here is for search engines (facts section 10).
const ROBOTS: &str = "User-agent: *\nDisallow: /\n";

/// Why the pages are not served.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The listener failed.
    #[error("the status pages cannot be served")]
    Serve(#[from] std::io::Error),
}

#[derive(Clone)]
struct Board {
    shared: Shared,
    pulse: Pulse,
    config: Arc<BoardConfig>,
    copies: Arc<Copies>,
    figures: Figures,
    stop: CancellationToken,
    /// Until then visitors wait for the world to be there.
    patient_until: tokio::time::Instant,
}

impl Board {
    /// Status and body of a page.
    async fn page(&self, route: Option<&Route>, form: Form) -> (u16, Bytes) {
        let slot = route.and_then(|route| self.copies.slot(route, form));
        let Some(slot) = slot else {
            let page = self.made(route, form);
            return (page.status, page.body.into());
        };
        let basis = || Basis {
            revision: self.shared.read().revision(None),
            is_silent: self.pulse.age().map(|age| age >= SILENCE),
        };
        let body = slot.page(|| (basis(), Instant::now()), || self.made(route, form).body);
        (StatusCode::OK.as_u16(), body.await)
    }

    /// A page as of now.
    fn made(&self, route: Option<&Route>, form: Form) -> Page {
        let world = self.shared.read();
        let seen = Seen {
            world: &world,
            config: &self.config,
            moment: Moment {
                now: Timestamp::now(),
                heard: self.pulse.age(),
            },
        };
        match route {
            Some(route) => pages::page(seen, route, form),
            None => pages::not_found(seen, form),
        }
    }
}

/// Serves the pages in plain HTTP on `listener`, for the gateway, until `shutdown`.
///
/// The client needs the rights of `tool-observer` (facts section 3.3) and no others: to list and watch what is shown, but
/// no Secrets. `door` is where figures are told; `None` tells nobody.
pub async fn run_board(
    client: Client,
    listener: TcpListener,
    config: BoardConfig,
    door: Option<Door>,
    shutdown: CancellationToken,
) -> Result<(), BoardError> {
    let (shared, pulse) = (Shared::new(), Pulse::default());
    let gateways = config.gateways.clone();
    let file = config.traffic_file.clone().map(TrafficFile::at);
    if let Some(file) = &file {
        let traffic = file.load(Timestamp::now().as_second());
        shared.change(Place::Figures, |world| world.traffic = traffic);
    }
    let followed = {
        let (shared, pulse) = (shared.clone(), pulse.clone());
        async move {
            tokio::join!(
                follow::follow(client.clone(), shared.clone()),
                usage::follow(client.clone(), shared.clone()),
                pulse::follow(client, shared.clone(), pulse),
                traffic::follow(gateways, file, shared),
            );
        }
    };
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(followed));
    let figures = Figures::new();
    if let Some(door) = door {
        tokio::spawn(door.serve(figures.registry(&pulse), shutdown.clone()));
    }
    let board = Board {
        patient_until: tokio::time::Instant::now() + START,
        figures,
        shared,
        pulse,
        config: Arc::new(config),
        copies: Arc::default(),
        stop: shutdown.clone(),
    };
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/robots.txt", get(async || ROBOTS))
        .route(
            "/style.css",
            get(async || asset("text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/live.js",
            get(async || asset("text/javascript; charset=utf-8", SCRIPT)),
        )
        .route("/live", get(live))
        .fallback(answer)
        .with_state(board);
    toolforge_serve::serve(listener, None, router, shutdown).await?;
    Ok(())
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    // They change with the program only; a minute of age harms nobody.
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "max-age=60"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}

async fn answer(State(board): State<Board>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let route = Route::of(uri.path(), uri.query().unwrap_or_default());
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let json = match &route {
        Some((_, json)) if *json => true,
        _ => accept::Form::wanted(accepted) == accept::Form::Json,
    };
    let form = if json { Form::Json } else { Form::Html };
    let (route, began) = (route.as_ref().map(|(route, _)| route), Instant::now());
    board.shared.filled(board.patient_until).await;
    let (status, body) = match board.page(route, form).await {
        // What is not known yet may well be there.
        (404, body) if route.is_some() && !board.shared.read().is_filled() => (503, body),
        page => page,
    };
    board.figures.shown(route, began.elapsed());
    let content_type = if json {
        "application/json"
    } else {
        "text/html; charset=utf-8"
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, headers, body).into_response();
    response
        .headers_mut()
        .insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    response
}

#[derive(serde::Deserialize)]
struct Looked {
    path: String,
}

/// Tells a page when it should be fetched anew: when something that it shows changed, and every few seconds.
async fn live(
    State(board): State<Board>,
    Query(looked): Query<Looked>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let scope = Route::of(&looked.path, "").and_then(|(route, _)| route.scope().map(ToOwned::to_owned));
    let seen = board.shared.read().revision(scope.as_deref());
    let changes = board.shared.changes();
    let viewer = board.figures.viewer();
    let state = (board, changes, scope, seen, viewer);
    let events = stream::unfold(state, async |(board, mut changes, scope, seen, viewer)| {
        let news = async {
            tokio::time::sleep(LIVE_PAUSE).await;
            loop {
                changes.borrow_and_update();
                let now = board.shared.read().revision(scope.as_deref());
                if now != seen {
                    return now;
                }
                if changes.changed().await.is_err() {
                    return seen;
                }
            }
        };
        let revision = tokio::select! {
            revision = tokio::time::timeout(LIVE_AT_LEAST, news) => revision.unwrap_or(seen),
            () = board.stop.cancelled() => return None,
        };
        let event = Event::default().data(revision.to_string());
        Some((Ok(event), (board, changes, scope, revision, viewer)))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
