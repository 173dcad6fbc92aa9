//! Answers that are not an object: `Status` with the codes, reasons and messages of apimachinery's errors.
//!
//! The API server and the admission chain make them; clients match on `reason` and show `message`.

use serde_json::{Map, Value, json};

use crate::{FieldError, Kind};

/// An answer that says what went wrong, in the form that Kubernetes clients read.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// The reason that programs match on; may be empty.
    pub reason: &'static str,
    /// The sentence for people.
    pub message: String,
    /// Name, group, kind and causes, where there are any.
    pub details: Option<Value>,
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
        }
    }

    fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The `Status` object.
    pub fn to_value(&self) -> Value {
        let mut object = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            object["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            object["details"] = details.clone();
        }
        object
    }

    /// How many seconds the client should wait before it tries again, where the answer says so.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.details.as_ref()?.get("retryAfterSeconds")?.as_u64()
    }

    /// 404: no such object.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.qualified_resource());
        Self::new(404, "NotFound", message).with_details(resource_details(kind, name))
    }

    /// Whether it names no object: the path itself is unknown.
    pub fn is_about_no_object(&self) -> bool {
        self.details
            .as_ref()
            .is_none_or(|details| details.get("kind").is_none())
    }

    /// 404: no such path.
    pub fn no_such_path() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
        .with_details(json!({}))
    }

    /// 409: the name is taken.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.qualified_resource());
        Self::new(409, "AlreadyExists", message).with_details(resource_details(kind, name))
    }

    /// 409: no free name was found for a `generateName`.
    pub fn generate_name_conflict(kind: &Kind, name: &str) -> Self {
        let message = format!(
            "{} \"{name}\" already exists, the server was not able to generate a unique name for the object",
            kind.qualified_resource()
        );
        let mut details = resource_details(kind, name);
        details["retryAfterSeconds"] = 1.into();
        Self::new(409, "AlreadyExists", message).with_details(details)
    }

    /// 409: the object is not in the state that the request supposes.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            kind.qualified_resource()
        );
        Self::new(409, "Conflict", message).with_details(resource_details(kind, name))
    }

    /// 409: the object is not the one that a deletion means. Kubernetes names it by its kind here.
    pub fn precondition_failed(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            kind.qualified_kind()
        );
        Self::new(409, "Conflict", message).with_details(details(kind.group, kind.kind, name))
    }

    /// 409: somebody else wrote the object in between.
    pub fn modified(kind: &Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 409: server-side apply meets fields of other managers; each conflict is its message and its field.
    pub fn apply_conflict(message: impl Into<String>, conflicts: &[(String, String)]) -> Self {
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(message, field)| json!({"reason": "FieldManagerConflict", "message": message, "field": field}))
            .collect();
        Self::new(409, "Conflict", message).with_details(json!({ "causes": causes }))
    }

    /// 422: the object breaks rules.
    pub fn invalid(kind: &Kind, name: &str, errors: Vec<FieldError>) -> Self {
        Self::invalid_of(kind.group, kind.kind, name, errors)
    }

    /// 422, for an object of a subresource that has no [`Kind`] of its own, such as `Scale`.
    pub fn invalid_of(group: &str, kind: &str, name: &str, errors: Vec<FieldError>) -> Self {
        let mut texts: Vec<String> = Vec::with_capacity(errors.len());
        let mut causes = Vec::with_capacity(errors.len());
        for error in errors {
            let text = error.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
            let reason = error.kind.reason();
            causes.push(json!({"reason": reason, "message": error.detail, "field": error.field}));
        }
        let qualified = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let message = match texts.as_slice() {
            [] => format!("{qualified} \"{name}\" is invalid"),
            [one] => format!("{qualified} \"{name}\" is invalid: {one}"),
            several => format!("{qualified} \"{name}\" is invalid: [{}]", several.join(", ")),
        };
        let mut details = details(group, kind, name);
        if !causes.is_empty() {
            details["causes"] = causes.into();
        }
        Self::new(422, "Invalid", message).with_details(details)
    }

    /// 403: not allowed, by rights or by admission; an empty name means the whole collection.
    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let resource = kind.qualified_resource();
        let message = if name.is_empty() {
            format!("{resource} is forbidden: {why}")
        } else {
            format!("{resource} \"{name}\" is forbidden: {why}")
        };
        Self::new(403, "Forbidden", message).with_details(resource_details(kind, name))
    }

    /// 403 for a request that is about no kind, with the whole reason.
    pub fn forbidden_path(why: &str) -> Self {
        Self::new(403, "Forbidden", format!("forbidden: {why}")).with_details(json!({}))
    }

    /// 401: nobody known.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 405: the kind does not know the verb.
    pub fn method_not_supported(kind: &Kind, verb: &str) -> Self {
        let message = format!(
            "{verb} is not supported on resources of kind \"{}\"",
            kind.qualified_resource()
        );
        Self::new(405, "MethodNotAllowed", message).with_details(resource_details(kind, ""))
    }

    /// 405 for a path that is about no kind.
    pub fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .with_details(json!({}))
    }

    /// 406: no form of the answer is acceptable to the client.
    pub fn not_acceptable(offered: &[&str]) -> Self {
        let message = format!(
            "only the following media types are accepted: {}",
            offered.join(", ")
        );
        Self::new(406, "NotAcceptable", message)
    }

    /// 410: what was asked for is gone for good.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(410, "Gone", message)
    }

    /// 410: the revision or continue token is older than what is kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 413: more bytes than the server takes.
    pub fn too_large(limit_bytes: usize) -> Self {
        let message = format!("Request entity is too large: limit is {limit_bytes}");
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// 415: a body in a form that is not read here.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 429: later, please.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u64) -> Self {
        Self::new(429, "TooManyRequests", message)
            .with_details(json!({ "retryAfterSeconds": retry_after_seconds }))
    }

    /// 429: a disruption budget stands against an eviction, because of `cause`; 0 seconds say nothing of when to retry.
    pub fn eviction_refused(cause: &str, retry_after_seconds: u64) -> Self {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        let mut details = json!({ "causes": [{ "reason": "DisruptionBudget", "message": cause }] });
        if retry_after_seconds > 0 {
            details["retryAfterSeconds"] = retry_after_seconds.into();
        }
        Self::new(429, "TooManyRequests", message).with_details(details)
    }

    /// 500: more than one disruption budget has a say in an eviction.
    pub fn too_many_budgets() -> Self {
        let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        Self::new(500, "", message)
    }

    /// 500: our own fault.
    pub fn internal(why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        Self::new(500, "InternalError", format!("Internal error occurred: {why}"))
            .with_details(json!({ "causes": [{ "message": why }] }))
    }

    /// 500: the operation could not be completed in time.
    pub fn server_timeout(kind: &Kind, verb: &str, retry_after_seconds: u64) -> Self {
        let message = format!(
            "The {verb} operation against {} could not be completed at this time, please try again.",
            kind.qualified_resource()
        );
        let mut details = resource_details(kind, verb);
        details["retryAfterSeconds"] = retry_after_seconds.into();
        Self::new(500, "ServerTimeout", message).with_details(details)
    }

    /// 501: known to Kubernetes, not offered here.
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(501, "", message)
    }

    /// 503: not now.
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 504: a deadline has passed.
    pub fn timeout(why: &str, retry_after_seconds: u64) -> Self {
        Self::new(504, "Timeout", format!("Timeout: {why}"))
            .with_details(json!({ "retryAfterSeconds": retry_after_seconds }))
    }

    /// The answer of a webhook that says no, or a proxied answer: its own code, reason and message.
    pub fn custom(
        code: u16,
        reason: &'static str,
        message: impl Into<String>,
        details: Option<Value>,
    ) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

/// Details whose `kind` is the resource name, as most of apimachinery's errors have it.
fn resource_details(kind: &Kind, name: &str) -> Value {
    details(kind.group, kind.plural, name)
}

fn details(group: &str, kind: &str, name: &str) -> Value {
    let mut details = Map::new();
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details.insert(key.to_owned(), value.into());
        }
    }
    Value::Object(details)
}

#[cfg(test)]
mod tests;
