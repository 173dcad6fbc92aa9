//! `AdmissionReview`s: what Kubernetes asks. How it is answered stands in `answer`.

use serde::Deserialize;

use crate::answer::{Answer, Answered};
use crate::json::{self, Fields, Json};

/// The API versions of reviews that are understood; the answer has the version of the question.
const VERSIONS: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

/// One question.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
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
    pub(crate) object: Json<'a>,
    #[serde(skip)]
    pub(crate) old_object: Json<'a>,
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
pub(crate) struct Review<'a> {
    version: String,
    /// A key that is there twice.
    twice: Option<String>,
    pub(crate) request: Request<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<Request<'a>>,
}

impl<'a> Review<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, ReviewError> {
        if body.is_empty() {
            return Err(ReviewError::Empty);
        }
        let (mut review, twice) = json::read(body)?;
        // Taken out before the rest is read, so that they are neither copied nor looked through.
        let [object, old_object] =
            ["object", "oldObject"].map(|field| review.take(&["request", field]).unwrap_or_default());
        let wire = Wire::deserialize(&review)?;
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
    pub(crate) fn answered<'b>(&'b self, answer: &'b Answer) -> Answered<'b> {
        Answered::new(&self.version, &self.request.uid, answer)
    }
}

impl Request<'_> {
    /// Whether an update leaves everything that a guard judges as it is.
    ///
    /// Finalizers and owners of an object may always change: what is refused today could otherwise neither be
    /// deleted nor cleaned up.
    pub(crate) fn changes_bookkeeping_only(&self) -> bool {
        let (Some(new), Some(old)) = (self.object.fields(), self.old_object.fields()) else {
            return false;
        };
        self.operation == Operation::Update
            && equal_but(new, old, &["metadata", "status"])
            && match (new.find("metadata"), old.find("metadata")) {
                (Some(Json::Object(new)), Some(Json::Object(old))) => equal_but(new, old, &HOUSEKEEPING),
                (new, old) => new == old,
            }
    }

    /// Whether an update leaves the template of a workload's Pods as it is, such as a change of scale.
    pub(crate) fn keeps_template(&self) -> bool {
        self.operation == Operation::Update
            && self.kind.kind != "Pod"
            && template(&self.object).is_some_and(|new| Some(new) == template(&self.old_object))
    }
}

/// Where a workload has its template of Pods.
const TEMPLATES: [&[&str]; 3] = [
    &["spec", "template"],
    &["spec", "jobTemplate", "spec", "template"],
    &["template"],
];

fn template<'a, 'b>(object: &'b Json<'a>) -> Option<&'b Json<'a>> {
    TEMPLATES.iter().find_map(|place| object.at(place))
}

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
fn equal_but(new: &Fields<'_>, old: &Fields<'_>, apart: &[&str]) -> bool {
    let counted = |(key, _): &(&str, &Json<'_>)| !apart.contains(key);
    new.iter().filter(counted).eq(old.iter().filter(counted))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Review;

    fn review(request: &Value) -> Value {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
    }

    fn update(old: &Value, new: &Value) -> bool {
        let request = json!({"uid": "u", "kind": {}, "operation": "UPDATE", "object": new, "oldObject": old});
        let review = review(&request).to_string();
        let review = Review::read(review.as_bytes()).unwrap();
        review.request.changes_bookkeeping_only()
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
        let error = Review::read(b"{\"kind\": \"\xff\"}").unwrap_err().to_string();
        assert!(
            error.contains("in JSON: invalid utf-8 sequence") && error.contains("index 10"),
            "{error}"
        );
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
