//! The subresource `log`: what a Pod's container wrote, from the node that it runs on.

use axum::response::Response;
use toolforge_kinds::Status;

use super::Call;
use crate::connect::location as pod_location;

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
    let container = pod_location::container(&pod, name, call.query.get("container"))?;
    let node = pod_location::node(call, &pod, name)?;
    let namespace = call.namespace.as_deref().unwrap_or_default();
    let query: Vec<(&str, &str)> = PASSED_ON
        .iter()
        .filter_map(|name| call.query.get(name).map(|value| (*name, value)))
        .collect();
    let path = format!("/containerLogs/{namespace}/{name}/{container}");
    call.api
        .nodes
        .stream(&node.value(), &path, &query, call.api.closing.clone())
        .await
}
