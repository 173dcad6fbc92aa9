//! The subresource `token` of service accounts: a `TokenRequest` goes in and comes back with a token.
//!
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use toolforge_kinds::{FieldError, Kind, Status, Subresource};

use super::claims::{Bound, Reference, Subject};
use super::{Claims, Tokens};
use crate::rest::{Call, admit_posted, decode_posted};
use crate::store::{Key, Resource, Stored};
use crate::{metadata, respond};

/// How long a token lives when its request does not say, in seconds.
const DEFAULT_SECONDS: i64 = 3600;
/// The shortest life of a token, in seconds.
const MIN_SECONDS: i64 = 600;
/// The longest life of a token, in seconds.
const MAX_SECONDS: i64 = 1 << 32;
/// Requests for exactly this life are those of the volume that every Pod gets, in seconds. Their clients may be too old
/// to read the file again, so such a token lives for [`EXTENDED_SECONDS`], and its late use is told in the audit log.
const WARN_ONLY_SECONDS: i64 = 3607;
/// A year in seconds.
const EXTENDED_SECONDS: i64 = 365 * 24 * 60 * 60;

/// Issues a token for the account `name`; a dry run checks everything, and leaves `token` empty.
pub(crate) async fn answer(
    call: &Call,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Response, Status> {
    let mut request = decode_posted(call, Subresource::Token, name, media_type, bytes)?;
    let account = find(call, "ServiceAccount", name)?;
    complete(&mut request);
    let (mut request, warnings) = admit_posted(call, name, request).await?;
    check(&request)?;
    let now = Timestamp::now();
    let token = issue(call, &account, &request, now)?;
    let seconds = seconds(&request);
    let ends = now
        .checked_add(SignedDuration::from_secs(seconds))
        .map_err(|problem| Status::bad_request(problem.to_string()))?;
    request["status"] = json!({ "token": token, "expirationTimestamp": metadata::time(ends) });
    if let Some(fields) = metadata::of(&mut request) {
        fields.insert("creationTimestamp".to_owned(), json!(metadata::time(now)));
    }
    let mut response = respond::json(StatusCode::CREATED, &request);
    respond::warn(&mut response, &warnings);
    Ok(response)
}

/// The strings of a list; none when there is no list.
pub(super) fn strings(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Fills in what the request leaves open.
fn complete(request: &mut Value) {
    if let Some(map) = request.as_object_mut() {
        map.remove("status");
        let spec = map.entry("spec").or_insert_with(|| json!({}));
        if strings(spec.get("audiences")).is_empty() {
            spec["audiences"] = json!(Tokens::audiences());
        }
        if spec.get("expirationSeconds").is_none_or(Value::is_null) {
            spec["expirationSeconds"] = json!(DEFAULT_SECONDS);
        }
    }
}

fn seconds(request: &Value) -> i64 {
    let found = request.pointer("/spec/expirationSeconds");
    found.and_then(Value::as_i64).unwrap_or(DEFAULT_SECONDS)
}

fn check(request: &Value) -> Result<(), Status> {
    let seconds = seconds(request);
    let why = if seconds < MIN_SECONDS {
        "may not specify a duration less than 10 minutes"
    } else if seconds > MAX_SECONDS {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(());
    };
    let problem = FieldError::invalid("spec.expirationSeconds", seconds, why);
    let (group, kind) = ("authentication.k8s.io", "TokenRequest");
    Err(Status::invalid_of(group, kind, "", vec![problem]))
}

fn issue(call: &Call, account: &Stored, request: &Value, now: Timestamp) -> Result<String, Status> {
    let namespace = &account.key.namespace;
    let value = account.value();
    let uid = metadata::text(&value, "uid");
    let subject = Subject::new(namespace, &account.key.name, uid);
    let bound = match request.pointer("/spec/boundObjectRef") {
        Some(reference) if !reference.is_null() => bind(call, &account.key.name, reference)?,
        _ => Bound::default(),
    };
    let audiences = strings(request.pointer("/spec/audiences"));
    let wanted = seconds(request);
    let extends = bound.pod.is_some()
        && wanted == WARN_ONLY_SECONDS
        && audiences
            .iter()
            .all(|audience| Tokens::audiences().contains(audience));
    let (seconds, warn_after) = if extends {
        (EXTENDED_SECONDS, Some(wanted))
    } else {
        (wanted, None)
    };
    let claims = Claims::bound(&subject, &bound, audiences, now.as_second(), seconds, warn_after);
    if call.dry_run {
        return Ok(String::new());
    }
    if let Some(id) = claims.credential_id() {
        let name = "authentication.kubernetes.io/issued-credential-id";
        call.annotations.add(name, id);
    }
    call.api.tokens.sign(&claims).map_err(Status::internal)
}

/// Finds what the token is to be tied to.
fn bind(call: &Call, account: &str, reference: &Value) -> Result<Bound, Status> {
    let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or_default();
    let (version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    let mut bound = Bound::default();
    let place = match (version, kind) {
        ("v1", "Pod") => &mut bound.pod,
        ("v1", "Node") => &mut bound.node,
        ("v1", "Secret") => &mut bound.secret,
        _ => {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            return Err(Status::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let found = find(call, kind, name)?;
    let value = found.value();
    let uid = metadata::text(&value, "uid");
    *place = Some(Reference {
        name: name.to_owned(),
        uid: uid.to_owned(),
    });
    if kind == "Pod" {
        check_account(account, &value)?;
        bound.node = node_of(call, &value);
    }
    let wanted = text("uid");
    if !wanted.is_empty() && wanted != uid {
        let why = format!(
            "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict(kind_of(kind)?, name, &why));
    }
    Ok(bound)
}

fn check_account(account: &str, pod: &Value) -> Result<(), Status> {
    if pod.pointer("/spec/serviceAccountName").and_then(Value::as_str) == Some(account) {
        return Ok(());
    }
    Err(Status::bad_request(format!(
        "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
    )))
}

/// The node of a Pod; by its name alone when it is not registered.
fn node_of(call: &Call, pod: &Value) -> Option<Reference> {
    let name = pod
        .pointer("/spec/nodeName")?
        .as_str()
        .filter(|name| !name.is_empty())?;
    let uid = find(call, "Node", name).map(|node| metadata::text(&node.value(), "uid").to_owned());
    Some(Reference {
        name: name.to_owned(),
        uid: uid.unwrap_or_default(),
    })
}

fn kind_of(kind: &str) -> Result<&'static Kind, Status> {
    toolforge_kinds::by_kind("", "v1", kind).ok_or_else(Status::no_such_path)
}

fn find(call: &Call, kind: &str, name: &str) -> Result<Arc<Stored>, Status> {
    let kind = kind_of(kind)?;
    let namespace = call.namespace.as_deref().filter(|_| kind.namespaced);
    let key = Key::new(Resource::of(kind), namespace, name);
    call.api
        .store
        .get(&key)
        .ok_or_else(|| Status::not_found(kind, name))
}
