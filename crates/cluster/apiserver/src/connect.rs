//! The subresources that connect a client with something that runs: `exec`, `attach`, `portforward`, `proxy`.
//!
//! The API authenticates, authorizes and asks admission (operation CONNECT); then it asks the node for the same upgrade
//! and passes bytes on. What is said on the connection is an affair of client and node. `proxy` has a module of its own.

pub(crate) mod location;
mod options;
mod proxy;
pub(crate) mod tunnel;

pub(crate) use proxy::rewrite;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use serde_json::Value;
use toolforge_chain::Operation;
use toolforge_kinds::{Status, Subresource};

use crate::authz::Attributes;
use crate::rest::Call;
use crate::{admit, authn};

/// Whether a subresource is answered here.
pub(crate) fn concerns(subresource: Subresource) -> bool {
    matches!(
        subresource,
        Subresource::Exec | Subresource::Attach | Subresource::PortForward | Subresource::Proxy
    )
}

/// Answers a request to connect.
pub(crate) async fn answer(
    call: &Call,
    verb: &str,
    name: &str,
    mut request: Request<Body>,
) -> Result<Response, Status> {
    authn::withhold_token(request.headers_mut());
    match call.subresource {
        Some(Subresource::Proxy) => proxy::answer(call, name, request).await,
        Some(subresource) if matches!(verb, "get" | "create") => {
            streams(call, subresource, verb, name, request).await
        }
        _ => Err(Status::method_not_allowed()),
    }
}

/// Connects a client with a Pod.
async fn streams(
    call: &Call,
    subresource: Subresource,
    verb: &str,
    name: &str,
    mut request: Request<Body>,
) -> Result<Response, Status> {
    if verb == "get" {
        // WebSocket begins with a GET, and reading is not all that comes of it: since 1.35 both rights are needed.
        require_create(call, subresource, name)?;
    }
    let pod = call
        .api
        .store
        .get(&call.key(name))
        .ok_or_else(|| Status::not_found(call.kind, name))?;
    let pod = pod.value();
    let options = options::read(subresource, &call.query)?;
    let options = admitted(call, name, options).await?;
    let namespace = call.namespace.as_deref().unwrap_or_default();
    let path = if subresource == Subresource::PortForward {
        format!("/portForward/{namespace}/{name}")
    } else {
        let wanted = options.get("container").and_then(Value::as_str);
        let container = location::container(&pod, name, wanted)?;
        let what = if subresource == Subresource::Exec {
            "exec"
        } else {
            "attach"
        };
        format!("/{what}/{namespace}/{name}/{container}")
    };
    let node = location::node(call, &pod, name)?;
    if !toolforge_streams::is_upgrade(request.headers()) {
        return Err(Status::bad_request("Upgrade request required"));
    }
    let target = format!("{path}?{}", options::to_node(&options));
    let asked = tunnel::request(&request, &target)?;
    let ends = tunnel::Ends::of(&call.api.closing, &request);
    let client = hyper::upgrade::on(&mut request);
    let answer = call.api.nodes.upgrade(&node.value(), asked).await?;
    Ok(tunnel::join(client, answer, ends))
}

fn require_create(call: &Call, subresource: Subresource, name: &str) -> Result<(), Status> {
    let wanted = Attributes {
        verb: "create".to_owned(),
        group: call.kind.group.to_owned(),
        version: call.kind.version.to_owned(),
        resource: call.kind.plural.to_owned(),
        subresource: subresource.name().to_owned(),
        namespace: call.namespace.clone().unwrap_or_default(),
        name: name.to_owned(),
        field_selector: None,
        path: None,
    };
    call.api.access.require(&call.user, &wanted, &call.api.store)
}

/// The options after everybody in the admission chain has had a say.
async fn admitted(call: &Call, name: &str, options: Value) -> Result<Value, Status> {
    let admission = admit::Request::new(call, Operation::Connect, name, Value::Null);
    let (options, _) = admission.mutate(options, None).await?;
    admission.validate(Some(&options), None).await?;
    Ok(options)
}
