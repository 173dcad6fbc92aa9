//! The subresource `log`: what a Pod's container wrote, from the node that it runs on.

use axum::response::Response;
use serde_json::Value;
use toolforge_kinds::Status;

use super::Call;
use crate::store::{Key, Resource};

/// Query parameters that the node understands.
const PASSED_ON: &[&str] = &[
    "follow",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "timestamps",
    "tailLines",
    "limitBytes",
    "stream",
];

/// Streams the log of a container.
pub(crate) async fn answer(call: &Call, name: &str) -> Result<Response, Status> {
    let pod = call
        .api
        .store
        .get(&call.key(name))
        .ok_or_else(|| Status::not_found(call.kind, name))?;
    let pod = pod.value();
    let container = container(call, name, pod)?;
    let node = pod
        .pointer("/spec/nodeName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if node.is_empty() {
        return Err(Status::bad_request(format!(
            "pod {name} does not have a host assigned"
        )));
    }
    let kind = toolforge_kinds::by_kind("", "v1", "Node").ok_or_else(Status::no_such_path)?;
    let found = call
        .api
        .store
        .get(&Key::new(Resource::of(kind), None, node))
        .ok_or_else(|| Status::not_found(kind, node))?;
    let namespace = call.namespace.as_deref().unwrap_or_default();
    let query: Vec<(&str, &str)> = PASSED_ON
        .iter()
        .filter_map(|name| call.query.get(name).map(|value| (*name, value)))
        .collect();
    let path = format!("/containerLogs/{namespace}/{name}/{container}");
    call.api
        .nodes
        .stream(found.value(), &path, &query, call.api.closing.clone())
        .await
}

/// The container that is meant: the named one, the default one, or the only one.
fn container(call: &Call, name: &str, pod: &Value) -> Result<String, Status> {
    let names: Vec<&str> = ["containers", "initContainers"]
        .iter()
        .filter_map(|list| pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array))
        .flatten()
        .filter_map(|container| container.get("name").and_then(Value::as_str))
        .collect();
    let default = pod
        .pointer("/metadata/annotations/kubectl.kubernetes.io~1default-container")
        .and_then(Value::as_str);
    match (call.query.get("container"), names.as_slice()) {
        (Some(wanted), _) if names.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => Err(Status::bad_request(format!(
            "container {wanted} is not valid for pod {name}"
        ))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) if default.is_some_and(|default| names.contains(&default)) => {
            Ok(default.unwrap_or_default().to_owned())
        }
        (None, _) => Err(Status::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            names.join(" ")
        ))),
    }
}
