//! `AdmissionReview`s: what Kubernetes asks, and how it is answered.

use base64::Engine;
use json_patch::PatchOperation;
use serde::Deserialize;
use serde_json::{Value, json};

/// The API versions of reviews that are understood; the answer has the version of the question.
const VERSIONS: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

/// One question.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) uid: String,
    pub(crate) kind: Gvk,
    #[serde(default)]
    pub(crate) sub_resource: Option<String>,
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    pub(crate) operation: Operation,
    #[serde(default)]
    pub(crate) user_info: UserInfo,
    #[serde(default)]
    pub(crate) object: Value,
    #[serde(default)]
    pub(crate) old_object: Value,
}

/// Who asks the API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UserInfo {
    pub(crate) username: String,
    pub(crate) groups: Vec<String>,
}

/// Group, version and kind of the object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Gvk {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

/// What is about to happen to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The object may pass, with these changes.
    Allow(Vec<PatchOperation>),
    /// The object is refused.
    Deny(String),
    /// Nobody can say yet; the client should ask again.
    Later(String),
}

/// Why a body is no question.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewError {
    #[error("the body is empty: send an AdmissionReview as JSON")]
    Empty,
    #[error("the body is not an AdmissionReview in JSON: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the body is a {0:?}, not an AdmissionReview of admission.k8s.io/v1")]
    OtherKind(String),
    #[error("the AdmissionReview has no request")]
    NoRequest,
    #[error("the request of the AdmissionReview has no uid")]
    NoUid,
}

/// A question with what is needed to answer it.
#[derive(Debug)]
pub(crate) struct Review {
    version: String,
    pub(crate) request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<Request>,
}

impl Review {
    pub(crate) fn read(body: &[u8]) -> Result<Self, ReviewError> {
        if body.is_empty() {
            return Err(ReviewError::Empty);
        }
        let wire: Wire = serde_json::from_slice(body)?;
        if wire.kind != "AdmissionReview" || !VERSIONS.contains(&wire.api_version.as_str()) {
            let shown: String = format!("{} {}", wire.api_version, wire.kind)
                .chars()
                .take(100)
                .collect();
            return Err(ReviewError::OtherKind(shown));
        }
        let request = wire.request.ok_or(ReviewError::NoRequest)?;
        if request.uid.is_empty() {
            return Err(ReviewError::NoUid);
        }
        Ok(Self {
            version: wire.api_version,
            request,
        })
    }

    /// The `AdmissionReview` that answers this one.
    pub(crate) fn answered(&self, answer: &Answer) -> Value {
        let uid = &self.request.uid;
        let response = match answer {
            Answer::Allow(patch) if patch.is_empty() => json!({"uid": uid, "allowed": true}),
            Answer::Allow(patch) => {
                let patch = base64::engine::general_purpose::STANDARD.encode(json!(patch).to_string());
                json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": patch})
            }
            Answer::Deny(message) => {
                let status =
                    json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": message});
                json!({"uid": uid, "allowed": false, "status": status})
            }
            Answer::Later(message) => {
                let status = json!({
                    "status": "Failure", "code": 503, "reason": "ServiceUnavailable", "message": message,
                    "details": {"retryAfterSeconds": 1},
                });
                json!({"uid": uid, "allowed": false, "status": status})
            }
        };
        json!({"apiVersion": self.version, "kind": "AdmissionReview", "response": response})
    }
}

impl Request {
    /// Whether an update leaves everything that a guard judges as it is.
    ///
    /// Finalizers and owners of an object may always change: what is refused today could otherwise neither be
    /// deleted nor cleaned up.
    pub(crate) fn changes_bookkeeping_only(&self) -> bool {
        let (new, old) = (judged(&self.object), judged(&self.old_object));
        self.operation == Operation::Update && new.is_some() && new == old
    }
}

/// The object without what only Kubernetes' own housekeeping reads.
fn judged(object: &Value) -> Option<Value> {
    let mut object = object.as_object()?.clone();
    object.remove("status");
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in [
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "finalizers",
            "generation",
            "managedFields",
            "ownerReferences",
            "resourceVersion",
        ] {
            metadata.remove(field);
        }
    }
    Some(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Answer, Review};

    fn review(request: &Value) -> Value {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
    }

    fn read(review: &Value) -> Review {
        Review::read(review.to_string().as_bytes()).unwrap()
    }

    fn update(old: &Value, new: &Value) -> bool {
        let request = json!({"uid": "u", "kind": {}, "operation": "UPDATE", "object": new, "oldObject": old});
        read(&review(&request)).request.changes_bookkeeping_only()
    }

    #[test]
    fn answers_with_the_uid_and_the_version_of_the_question() {
        let request = json!({"uid": "u-1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE"});
        for version in ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"] {
            let question = json!({"apiVersion": version, "kind": "AdmissionReview", "request": request});
            let answer = read(&question).answered(&Answer::Allow(vec![]));
            assert_eq!(answer["apiVersion"], version);
            assert_eq!(answer["response"], json!({"uid": "u-1", "allowed": true}));
        }
    }

    #[test]
    fn refuses_bodies_that_are_no_question_with_a_sentence() {
        for (body, sentence) in [
            ("", "the body is empty"),
            ("{", "not an AdmissionReview in JSON"),
            ("null", "not an AdmissionReview in JSON"),
            ("[]", "not an AdmissionReview"),
            ("{}", "not an AdmissionReview of"),
            (r#"{"apiVersion": "v1", "kind": "Pod"}"#, "\"v1 Pod\""),
            (
                r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}"#,
                "no request",
            ),
            (
                r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": null}"#,
                "no request",
            ),
            (
                r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {}}"#,
                "missing field",
            ),
            (
                &review(&json!({"uid": "", "kind": {}, "operation": "CREATE"})).to_string(),
                "no uid",
            ),
            (
                &review(&json!({"uid": "u", "kind": {}, "operation": "PAINT"})).to_string(),
                "PAINT",
            ),
            (&"[".repeat(100_000), "not an AdmissionReview in JSON"),
        ] {
            let error = Review::read(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(sentence), "{error}");
        }
        assert!(Review::read(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn knows_updates_that_change_nothing_it_judges() {
        let old =
            json!({"metadata": {"name": "a", "finalizers": ["x"]}, "spec": {"a": 1}, "status": {"b": 1}});
        let released = json!({"metadata": {"name": "a", "deletionTimestamp": "t"}, "spec": {"a": 1}});
        assert!(update(&old, &released));
        for changed in [
            json!({"metadata": {"name": "a"}, "spec": {"a": 2}}),
            json!({"metadata": {"name": "a", "annotations": {"x": "y"}}, "spec": {"a": 1}}),
            json!({"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"a": 1}}),
            Value::Null,
        ] {
            assert!(!update(&old, &changed), "{changed}");
        }
        assert!(!update(&Value::Null, &Value::Null));
    }
}
