//! The subresource `proxy`: HTTP through the API to a Pod, to one of the Pods behind a Service, or to a node.
//!
//! Every method and path passes, as do bodies of any length and upgrades; what is said is an affair of client and
//! backend. Links inside of pages are not rewritten, only `Location` is.

pub(crate) mod rewrite;
mod target;

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt as _;
use http::header::{HOST, LOCATION};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use toolforge_kinds::Status;

use super::tunnel;
use crate::dial;
use crate::nodes;
use crate::rest::Call;

/// Answers a proxy request.
pub(super) async fn answer(call: &Call, name: &str, request: Request<Body>) -> Result<Response, Status> {
    let (prefix, below) = rewrite::split(request.uri().path(), call.kind.namespaced);
    let (prefix, below) = (prefix.to_owned(), below.to_owned());
    let kind = toolforge_kinds::Subresource::Proxy.object(call.kind).2;
    let path = below.trim_start_matches('/');
    let options = json!({"kind": kind, "apiVersion": "v1", "path": path});
    super::admitted(call, name, options).await?;
    let backend = Backend::find(call, name)?;
    let query = request.uri().query().map(|query| format!("?{query}"));
    let query = query.unwrap_or_default();
    if below.is_empty() && matches!(*request.method(), Method::GET | Method::HEAD) {
        // Else what is relative in the page would be looked for one level too high.
        return moved(&format!("{prefix}/{query}"));
    }
    let below = if below.is_empty() { "/" } else { &below };
    pass(call, backend, &prefix, &format!("{below}{query}"), request).await
}

fn moved(to: &str) -> Result<Response, Status> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let to = HeaderValue::try_from(to).map_err(Status::internal)?;
    response.headers_mut().insert(LOCATION, to);
    Ok(response)
}

/// Who answers in the end.
enum Backend {
    Place(target::Place),
    Node(std::sync::Arc<crate::store::Stored>),
}

impl Backend {
    fn find(call: &Call, name: &str) -> Result<Self, Status> {
        let what = call.kind.singular;
        let named = target::Named::parse(name)
            .ok_or_else(|| Status::bad_request(format!("invalid {what} request {name:?}")))?;
        match what {
            "pod" => target::pod(call, named).map(Self::Place),
            "service" => target::service(call, named).map(Self::Place),
            _ => {
                let node = call.api.store.get(&call.key(named.name));
                let node = node.ok_or_else(|| Status::not_found(call.kind, named.name))?;
                let own = nodes::address(&node.value()).map(|(_, port)| port.to_string());
                if !named.port.is_empty() && Some(named.port) != own.as_deref() {
                    return Err(Status::bad_request("address not allowed"));
                }
                Ok(Self::Node(node))
            }
        }
    }

    /// As it is written in URLs.
    fn authority(&self) -> String {
        match self {
            Self::Place(place) => std::net::SocketAddr::new(place.address, place.port).to_string(),
            Self::Node(node) => nodes::address(&node.value())
                .map(|(host, port)| format!("{host}:{port}"))
                .unwrap_or_default(),
        }
    }

    async fn send(&self, call: &Call, request: Request<Body>) -> Result<http::Response<Incoming>, Status> {
        let place = match self {
            Self::Node(node) => return call.api.nodes.send(&node.value(), request).await,
            Self::Place(place) => place,
        };
        let sent = async {
            let stream = dial::tcp((place.address, place.port)).await?;
            let mut sender = if place.https {
                dial::http(dial::unverified(place.address, stream).await?).await?
            } else {
                dial::http(stream).await?
            };
            let answer: Result<_, dial::Problem> = Ok(sender.send_request(request).await?);
            answer
        };
        sent.await.map_err(|problem| {
            Status::service_unavailable(format!("error trying to reach service: {problem}"))
        })
    }
}

async fn pass(
    call: &Call,
    backend: Backend,
    prefix: &str,
    target: &str,
    mut request: Request<Body>,
) -> Result<Response, Status> {
    let upgrade = toolforge_streams::is_upgrade(request.headers());
    let ends = tunnel::Ends::of(&call.api.closing, &request);
    let client = hyper::upgrade::on(&mut request);
    let host = host_of(&request);
    let authority = backend.authority();
    let mut headers = rewrite::to_backend(request.headers(), upgrade);
    for (name, value) in [
        (HOST.as_str(), authority.as_str()),
        ("x-forwarded-host", host.as_str()),
        ("x-forwarded-proto", "https"),
        (
            "x-forwarded-uri",
            &format!("{prefix}{}", target.split('?').next().unwrap_or_default()),
        ),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(http::HeaderName::try_from(name).map_err(Status::internal)?, value);
        }
    }
    let (parts, body) = request.into_parts();
    let mut asked = Request::new(body);
    *asked.method_mut() = parts.method;
    *asked.headers_mut() = headers;
    *asked.uri_mut() = target
        .parse()
        .map_err(|problem| Status::bad_request(format!("invalid path: {problem}")))?;
    let answer = backend.send(call, asked).await?;
    if upgrade && answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(tunnel::join(client, answer, ends));
    }
    let mut headers = rewrite::to_client(answer.headers(), false);
    if let Some(place) = headers.get(LOCATION).and_then(|place| place.to_str().ok()) {
        let place = rewrite::location(place, prefix, &authority, &host);
        if let Ok(place) = HeaderValue::try_from(place) {
            headers.insert(LOCATION, place);
        }
    }
    let (parts, body) = answer.into_parts();
    let body = http_body_util::BodyExt::into_data_stream(body);
    let body = body.take_until(call.api.closing.clone().cancelled_owned());
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The host that the client knows the API by.
fn host_of(request: &Request<Body>) -> String {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    header.or(authority).unwrap_or_default().to_owned()
}
