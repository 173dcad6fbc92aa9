//! `AdmissionReview`s: what Kubernetes asks. How it is answered stands in `answer`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::{Answer, Answered};
use crate::once;

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
    #[serde(skip)]
    pub(crate) object: Value,
    #[serde(skip)]
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

impl Operation {
    /// Its name in the metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Connect => "connect",
        }
    }
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

impl ReviewError {
    /// The same in a word, for the metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Unreadable(_) => "json",
            Self::OtherKind(_) => "kind",
            Self::NoRequest | Self::NoUid => "incomplete",
        }
    }
}

/// A question with what is needed to answer it.
#[derive(Debug)]
pub(crate) struct Review {
    version: String,
    /// A key that is there twice.
    twice: Option<String>,
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
        let (mut review, twice) = once::read(body)?;
        // Taken out before the rest is read, so that they are neither copied nor looked through.
        let [object, old_object] = ["object", "oldObject"]
            .map(|field| review.pointer_mut("/request")?.as_object_mut()?.remove(field))
            .map(Option::unwrap_or_default);
        let wire = Wire::deserialize(review)?;
        if wire.kind != "AdmissionReview" || !VERSIONS.contains(&wire.api_version.as_str()) {
            let shown: String = format!("{} {}", wire.api_version, wire.kind)
                .chars()
                .take(100)
                .collect();
            return Err(ReviewError::OtherKind(shown));
        }
        let mut request = wire.request.ok_or(ReviewError::NoRequest)?;
        if request.uid.is_empty() {
            return Err(ReviewError::NoUid);
        }
        (request.object, request.old_object) = (object, old_object);
        Ok(Self {
            version: wire.api_version,
            twice,
            request,
        })
    }

    /// What is answered where the question itself is not to be trusted.
    pub(crate) fn unanswerable(&self) -> Option<Answer> {
        let key = self.twice.as_ref()?;
        Some(Answer::Deny(format!(
            "the key {key:?} is there twice in one object, and readers disagree which of them counts; leave one of them"
        )))
    }

    /// The `AdmissionReview` that answers this one.
    pub(crate) fn answered<'a>(&'a self, answer: &'a Answer) -> Answered<'a> {
        Answered::new(&self.version, &self.request.uid, answer)
    }
}

impl Request {
    /// Whether an update leaves everything that a guard judges as it is.
    ///
    /// Finalizers and owners of an object may always change: what is refused today could otherwise neither be
    /// deleted nor cleaned up.
    pub(crate) fn changes_bookkeeping_only(&self) -> bool {
        let (Some(new), Some(old)) = (self.object.as_object(), self.old_object.as_object()) else {
            return false;
        };
        self.operation == Operation::Update
            && equal_but(new, old, &["metadata", "status"])
            && match (new.get("metadata"), old.get("metadata")) {
                (Some(Value::Object(new)), Some(Value::Object(old))) => equal_but(new, old, &HOUSEKEEPING),
                (new, old) => new == old,
            }
    }

    /// Whether an update leaves the template of a workload's Pods as it is, such as a change of scale.
    pub(crate) fn keeps_template(&self) -> bool {
        let template = |object: &Value| TEMPLATES.iter().find_map(|place| object.pointer(place).cloned());
        self.operation == Operation::Update
            && self.kind.kind != "Pod"
            && template(&self.object).is_some_and(|new| Some(new) == template(&self.old_object))
    }
}

/// Where a workload has its template of Pods.
const TEMPLATES: [&str; 3] = ["/spec/template", "/spec/jobTemplate/spec/template", "/template"];

/// What of an object's metadata only Kubernetes' own housekeeping reads.
const HOUSEKEEPING: [&str; 7] = [
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
];

/// Whether two objects are the same, these fields apart.
fn equal_but(new: &Map<String, Value>, old: &Map<String, Value>, apart: &[&str]) -> bool {
    let counted = |(key, _): &(&String, &Value)| !apart.contains(&key.as_str());
    new.iter().filter(counted).eq(old.iter().filter(counted))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Review;

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
