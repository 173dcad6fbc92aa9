//! Binding a Pod to a node; and what it has in common with the other things that are done to Pods by posting.

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use toolforge_chain::Operation;
use toolforge_kinds::{Status, Subresource};

use super::change::{Edit, change};
use super::{Call, create, decode};
use crate::admit::Request;
use crate::{metadata, respond};

/// Gives a Pod its node.
pub(crate) async fn bind(
    call: &Call,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Response, Status> {
    let binding = decode::posted(call, Subresource::Binding, name, media_type, bytes)?;
    let (binding, warnings) = admit(call, name, binding).await?;
    let node = binding
        .pointer("/target/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if node.is_empty() {
        return Err(Status::bad_request("target.name: Required value"));
    }
    let transform = |old: &Value| {
        if metadata::is_deleting(old) {
            let why = format!("pod {name} is being deleted, cannot be assigned to a host");
            return Err(Status::conflict(call.kind, name, &why));
        }
        let bound = old
            .pointer("/spec/nodeName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !bound.is_empty() {
            let why = format!("pod {name} is already assigned to node {bound:?}");
            return Err(Status::conflict(call.kind, name, &why));
        }
        let gates = old.pointer("/spec/schedulingGates").and_then(Value::as_array);
        if gates.is_some_and(|gates| !gates.is_empty()) {
            let why = format!("pod {name} has non-empty .spec.schedulingGates");
            return Err(Status::conflict(call.kind, name, &why));
        }
        let mut new = old.clone();
        new["spec"]["nodeName"] = json!(node);
        set_scheduled(&mut new, &metadata::time(Timestamp::now()));
        if let Some(fields) = metadata::of(&mut new) {
            fields.remove("resourceVersion");
        }
        Ok(new)
    };
    let edit = Edit {
        transform: &transform,
        tracks_itself: false,
        options: "UpdateOptions",
    };
    change(&admitted(call), name, &edit).await?;
    Ok(done(&warnings))
}

/// Asks about what is posted to an object: to webhooks it is an object that is created below the other.
pub(crate) async fn admit(call: &Call, name: &str, object: Value) -> Result<(Value, Vec<String>), Status> {
    let request = Request::new(call, Operation::Create, name, create::options(call));
    let (object, mut warnings) = request.mutate(object, None).await?;
    warnings.extend(request.validate(Some(&object), None).await?);
    Ok((object, warnings))
}

/// The request after everybody has been asked.
pub(super) fn admitted(call: &Call) -> Call {
    Call {
        internal: true,
        ..call.clone()
    }
}

fn set_scheduled(pod: &mut Value, now: &str) {
    let condition =
        json!({ "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now });
    let conditions = &mut pod["status"]["conditions"];
    match conditions.as_array_mut() {
        Some(list) => {
            list.retain(|found| found.get("type").and_then(Value::as_str) != Some("PodScheduled"));
            list.push(condition);
        }
        None => *conditions = json!([condition]),
    }
}

pub(super) fn done(warnings: &[String]) -> Response {
    let code = StatusCode::CREATED;
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code.as_u16() });
    let mut response = respond::json(code, &status);
    respond::warn(&mut response, warnings);
    response
}
