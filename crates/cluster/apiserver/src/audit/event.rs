//! One request in the log, from its arrival to its answer.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use hyper::body::Body as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use toolforge_chain::Annotations;

use super::AuditLog;
use super::policy::{Level, Stage, Verdict};
use super::stream::Watched;
use crate::authn::User;
use crate::authz::Attributes;
use crate::body;
use crate::held;

/// The header that names a request in the log; clients may choose it.
const AUDIT_ID: &str = "audit-id";
/// Longest name of a request that is taken from a client, in characters.
const ID_LENGTH: usize = 64;
/// Largest answer that is written, in bytes.
const MAX_ANSWER_BYTES: usize = 3 << 20;

/// What is known of a request when it has an author.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) user: &'a User,
    /// As whom it is made, when that is somebody else.
    pub(crate) impersonated: Option<&'a User>,
    pub(crate) wanted: &'a Attributes,
    /// Path and query as they came.
    pub(crate) uri: String,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) address: Option<std::net::IpAddr>,
    pub(crate) annotations: Annotations,
}

/// A request that is being written to the log.
#[derive(Debug)]
pub(crate) struct Audited {
    log: Arc<AuditLog>,
    verdict: Verdict,
    event: Value,
    annotations: Annotations,
}

impl AuditLog {
    /// Begins with a request; nothing comes back when the policy does not want it.
    pub(crate) async fn begin(self: &Arc<Self>, asked: Asked<'_>) -> Option<Audited> {
        let acting = asked.impersonated.unwrap_or(asked.user);
        let verdict = self.policy.verdict(acting, asked.wanted);
        if verdict.level == Level::None {
            return None;
        }
        let audited = Audited {
            log: self.clone(),
            event: describe(&asked, verdict.level),
            verdict,
            annotations: asked.annotations,
        };
        audited.write(Stage::RequestReceived).await;
        Some(audited)
    }
}

impl Audited {
    /// Whether the body of the request is to be written.
    pub(crate) fn wants_body(&self) -> bool {
        self.verdict.level >= Level::Request
    }

    /// Takes the body of the request.
    pub(crate) fn request_body(&mut self, media_type: &str, bytes: &Bytes) {
        // Patches have media types of their own, and all are JSON or YAML.
        let object = match media_type
            .strip_suffix("-patch+json")
            .or(media_type.strip_suffix("-patch+yaml"))
        {
            Some(_) => body::yaml(bytes),
            None => body::object(media_type, bytes),
        };
        if let Ok(object) = object
            && !bytes.is_empty()
        {
            self.event["requestObject"] = self.stripped(object);
        }
    }

    /// Notes what authorization said.
    pub(crate) fn decided(&self, allowed: bool, reason: &str) {
        let decision = if allowed { "allow" } else { "forbid" };
        self.annotations.add("authorization.k8s.io/decision", decision);
        self.annotations.add("authorization.k8s.io/reason", reason);
    }

    /// Writes the end of the request, at once or when its stream has ended; gives the answer back.
    pub(crate) async fn finish(mut self, mut response: Response) -> Response {
        if let Some(id) = self.event["auditID"]
            .as_str()
            .and_then(|id| HeaderValue::from_str(id).ok())
        {
            response.headers_mut().insert(AUDIT_ID, id);
        }
        self.event["responseStatus"] = json!({ "metadata": {}, "code": response.status().as_u16() });
        let Some(length) = response.body().size_hint().exact() else {
            self.write(Stage::ResponseStarted).await;
            return response.map(|inner| held::until_end(inner, Watched(self)));
        };
        let failed = response.status().as_u16() >= 400;
        let headers = response.headers();
        let is_json = headers
            .get(CONTENT_TYPE)
            .is_some_and(|found| found.as_bytes().starts_with(b"application/json"));
        let is_plain =
            is_json && !headers.contains_key(CONTENT_ENCODING) && length <= MAX_ANSWER_BYTES as u64;
        if is_plain && (failed || self.verdict.level == Level::RequestResponse) {
            let (parts, inner) = response.into_parts();
            let bytes = to_bytes(inner, MAX_ANSWER_BYTES).await.unwrap_or_default();
            self.answer(&bytes, failed);
            response = Response::from_parts(parts, Body::from(bytes));
        }
        self.write(Stage::ResponseComplete).await;
        response
    }

    /// Writes the end of a stream.
    pub(super) fn finish_stream(&self) {
        if let Some(line) = self.line(Stage::ResponseComplete) {
            self.log.lines.write_now(line);
        }
    }

    fn answer(&mut self, bytes: &[u8], failed: bool) {
        let Ok(object) = serde_json::from_slice::<Value>(bytes) else {
            return;
        };
        if failed {
            for field in ["status", "message", "reason", "details"] {
                if let Some(value) = object.get(field) {
                    self.event["responseStatus"][field] = value.clone();
                }
            }
        }
        if self.verdict.level == Level::RequestResponse {
            self.event["responseObject"] = self.stripped(object);
        }
    }

    fn stripped(&self, mut object: Value) -> Value {
        let strip = |object: &mut Value| {
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
        };
        if self.verdict.omit_managed_fields {
            strip(&mut object);
            let items = object.get_mut("items").and_then(Value::as_array_mut);
            items.into_iter().flatten().for_each(strip);
        }
        object
    }

    async fn write(&self, stage: Stage) {
        if let Some(line) = self.line(stage) {
            self.log.lines.write(line).await;
        }
    }

    fn line(&self, stage: Stage) -> Option<Vec<u8>> {
        if self.verdict.omit_stages.contains(&stage) {
            return None;
        }
        let mut event = self.event.clone();
        event["stage"] = json!(stage.name());
        event["stageTimestamp"] = json!(time(Timestamp::now()));
        let annotations = self.annotations.read();
        if !annotations.is_empty() {
            event["annotations"] = json!(annotations);
        }
        serde_json::to_vec(&event).ok()
    }
}

fn time(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn describe(asked: &Asked<'_>, level: Level) -> Value {
    let header = |name: &str| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let chosen = header(AUDIT_ID).filter(|id| !id.is_empty() && id.chars().count() <= ID_LENGTH);
    let id = chosen.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": level.name(), "auditID": id,
        "requestURI": asked.uri, "verb": asked.wanted.verb, "user": asked.user.to_value(),
        "requestReceivedTimestamp": time(Timestamp::now()),
    });
    if let Some(impersonated) = asked.impersonated {
        event["impersonatedUser"] = impersonated.to_value();
    }
    if let Some(address) = asked.address {
        event["sourceIPs"] = json!([address]);
    }
    if let Some(agent) = header(USER_AGENT.as_str()) {
        event["userAgent"] = json!(agent);
    }
    if asked.wanted.path.is_none() {
        event["objectRef"] = object_reference(asked.wanted);
    }
    event
}

fn object_reference(wanted: &Attributes) -> Value {
    let mut reference = json!({ "resource": wanted.resource, "apiVersion": wanted.version });
    for (field, value) in [
        ("namespace", &wanted.namespace),
        ("name", &wanted.name),
        ("apiGroup", &wanted.group),
        ("subresource", &wanted.subresource),
    ] {
        if !value.is_empty() {
            reference[field] = json!(value);
        }
    }
    reference
}
