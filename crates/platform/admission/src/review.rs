//! `AdmissionReview`s: what Kubernetes asks. How it is answered stands in `answer`.

use std::borrow::Cow;

use serde::Deserialize;
use toolforge_policy::template_place;

use crate::answer::{Answer, Answered};
use crate::json::{Document, Json};

/// The API versions of reviews that are understood; the answer has the version of the question.
const VERSIONS: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

/// One question.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
    #[serde(borrow)]
    pub(crate) uid: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) kind: Gvk<'a>,
    #[serde(default)]
    pub(crate) sub_resource: Option<String>,
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    pub(crate) operation: Operation,
    #[serde(default)]
    #[serde(borrow)]
    pub(crate) user_info: UserInfo<'a>,
    #[serde(skip)]
    pub(crate) object: Json<'a>,
    #[serde(skip)]
    pub(crate) old_object: Json<'a>,
}

/// Who asks the API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UserInfo<'a> {
    #[serde(borrow)]
    pub(crate) username: Cow<'a, str>,
    pub(crate) groups: Vec<String>,
}

/// Group, version and kind of the object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Gvk<'a> {
    #[serde(borrow)]
    pub(crate) group: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) version: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) kind: Cow<'a, str>,
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
    version: Cow<'a, str>,
    /// A key that is there twice.
    twice: Option<&'a str>,
    pub(crate) request: Request<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(default, borrow)]
    api_version: Cow<'a, str>,
    #[serde(default, borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

/// Reads the body of a request, as far as it is JSON.
pub(crate) fn document(body: &[u8]) -> Result<Document<'_>, ReviewError> {
    if body.is_empty() {
        return Err(ReviewError::Empty);
    }
    Ok(Document::read(body)?)
}

impl<'a> Review<'a> {
    pub(crate) fn read(document: &'a Document<'_>) -> Result<Self, ReviewError> {
        let review = document.value();
        let wire = Wire::deserialize(review)?;
        if wire.kind != "AdmissionReview" || !VERSIONS.contains(&wire.api_version.as_ref()) {
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
        [request.object, request.old_object] =
            ["object", "oldObject"].map(|field| review.at(&["request", field]).unwrap_or_default());
        Ok(Self {
            version: wire.api_version,
            twice: document.twice(),
            request,
        })
    }

    /// What is answered where the question itself is not to be trusted.
    pub(crate) fn unanswerable(&self) -> Option<Answer> {
        let key = self.twice?;
        Some(Answer::Deny(format!(
            "the key {key:?} is there twice in one object, and readers disagree which of them counts; leave one of them"
        )))
    }

    /// The `AdmissionReview` that answers this one.
    pub(crate) fn answered<'b>(&'b self, answer: &'b Answer) -> Answered<'b> {
        Answered::new(&self.version, &self.request.uid, answer)
    }
}

impl<'a> Request<'a> {
    /// Whether an update leaves everything that a guard judges as it is.
    ///
    /// Finalizers and owners of an object may always change: what is refused today could otherwise neither be
    /// deleted nor cleaned up.
    pub(crate) fn changes_bookkeeping_only(&self) -> bool {
        let (Some(new), Some(old)) = (self.object.fields(), self.old_object.fields()) else {
            return false;
        };
        self.operation == Operation::Update
            && new.clone().equal_but(old.clone(), &["metadata", "status"])
            && match [new, old].map(|fields| fields.find("metadata")) {
                [Some(new), Some(old)] => match (new.fields(), old.fields()) {
                    (Some(new), Some(old)) => new.equal_but(old, &HOUSEKEEPING),
                    _ => new == old,
                },
                [new, old] => new == old,
            }
    }

    /// Whether an update leaves the template of a workload's Pods as it is, such as a change of scale.
    pub(crate) fn keeps_template(&self) -> bool {
        let Some(place) = template_place(&self.kind.kind) else {
            return false;
        };
        let template = |object: Json<'a>| object.at(place);
        self.operation == Operation::Update
            && template(self.object).is_some_and(|new| Some(new) == template(self.old_object))
    }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Review, ReviewError, document};

    fn review(request: &Value) -> Value {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
    }

    fn update(old: &Value, new: &Value) -> bool {
        let request = json!({"uid": "u", "kind": {}, "operation": "UPDATE", "object": new, "oldObject": old});
        let review = review(&request).to_string();
        let document = document(review.as_bytes()).unwrap();
        let review = Review::read(&document).unwrap();
        review.request.changes_bookkeeping_only()
    }

    fn refusal(body: &[u8]) -> ReviewError {
        match document(body) {
            Ok(document) => Review::read(&document).unwrap_err(),
            Err(error) => error,
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
            let error = refusal(body.as_bytes()).to_string();
            assert!(error.contains(sentence), "{error}");
        }
        let error = refusal(b"{\"kind\": \"\xff\"}").to_string();
        assert!(
            error.contains("in JSON: invalid utf-8 sequence") && error.contains("index 10"),
            "{error}"
        );
    }

    #[test]
    fn knows_the_template_of_a_kind_by_its_place_and_no_other() {
        let keeps = |kind: &str, old: &Value, new: &Value| {
            let request = json!({
                "uid": "u", "kind": {"kind": kind}, "operation": "UPDATE", "object": new, "oldObject": old,
            });
            let review = review(&request).to_string();
            let document = document(review.as_bytes()).unwrap();
            Review::read(&document).unwrap().request.keeps_template()
        };
        let schedule = |template: u8| {
            let job = json!({"spec": {"template": template}});
            json!({"spec": {"jobTemplate": job, "template": 0}, "template": 0})
        };
        let workload =
            |template: u8| json!({"spec": {"template": template, "replicas": template}, "template": 0});
        let plain = |template: u8| json!({"template": template, "spec": {"template": 0}});
        for (kind, of) in [
            ("CronJob", &schedule as &dyn Fn(u8) -> Value),
            ("Deployment", &workload),
            ("PodTemplate", &plain),
        ] {
            assert!(keeps(kind, &of(1), &of(1)), "{kind}");
            assert!(!keeps(kind, &of(1), &of(2)), "{kind}");
        }
        assert!(!keeps("Pod", &plain(1), &plain(1)));
        assert!(!keeps("Deployment", &json!({"spec": {}}), &json!({"spec": {}})));
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
