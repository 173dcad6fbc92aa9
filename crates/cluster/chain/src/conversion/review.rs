//! `ConversionReview`: the question to a webhook, and its answer.

use std::io;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

/// The group of reviews.
const GROUP: &str = "apiextensions.k8s.io";

/// The versions of reviews that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReviewVersion {
    V1,
    V1Beta1,
}

impl ReviewVersion {
    /// The first version of a webhook's list that we speak.
    pub(super) fn first_of(versions: &Value) -> Option<Self> {
        versions
            .as_array()?
            .iter()
            .find_map(|version| match version.as_str() {
                Some("v1") => Some(Self::V1),
                Some("v1beta1") => Some(Self::V1Beta1),
                _ => None,
            })
    }

    fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1Beta1 => "v1beta1",
        }
    }
}

/// The question about some objects.
pub(super) fn question(
    version: ReviewVersion,
    uid: &str,
    api_version: &str,
    objects: &[Arc<Value>],
) -> String {
    let objects: Vec<&Value> = objects.iter().map(AsRef::as_ref).collect();
    let request = json!({"uid": uid, "desiredAPIVersion": api_version, "objects": objects});
    json!({"apiVersion": format!("{GROUP}/{}", version.name()), "kind": "ConversionReview", "request": request})
        .to_string()
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("the answer is no ConversionReview: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("expected webhook response of {GROUP}/v1, Kind=ConversionReview, got {api_version}, Kind={kind}")]
    WrongKind { api_version: String, kind: String },
    #[error("no response provided")]
    Absent,
    #[error("expected response.uid={expected:?}, got {got:?}")]
    WrongUid { expected: String, got: String },
    #[error("{0}")]
    Refused(String),
    #[error("response.result.status was '{0}', not 'Success'")]
    NoSuccess(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    response: Option<Response>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Response {
    uid: String,
    converted_objects: Option<Vec<Value>>,
    result: Outcome,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Outcome {
    status: String,
    message: String,
}

/// The objects of the answer to the question with this uid.
pub(super) fn answer(version: ReviewVersion, bytes: &[u8], uid: &str) -> Result<Vec<Value>, AnswerError> {
    let review: Review = serde_json::from_slice(bytes)?;
    // Webhooks of the older version never had to say what they answer, nor to which question.
    let is_strict = version == ReviewVersion::V1;
    if is_strict && (review.api_version != format!("{GROUP}/v1") || review.kind != "ConversionReview") {
        return Err(AnswerError::WrongKind {
            api_version: review.api_version,
            kind: review.kind,
        });
    }
    let response = review.response.ok_or(AnswerError::Absent)?;
    if is_strict && response.uid != uid {
        return Err(AnswerError::WrongUid {
            expected: uid.to_owned(),
            got: response.uid,
        });
    }
    if response.result.status != "Success" {
        return Err(match response.result.message {
            message if message.is_empty() => AnswerError::NoSuccess(response.result.status),
            message => AnswerError::Refused(message),
        });
    }
    Ok(response.converted_objects.unwrap_or_default())
}

/// `example.org/v1, Kind=Crate`, as Kubernetes names a kind in messages.
pub(super) fn kind_of(object: &Value) -> String {
    format!("{}, Kind={}", text(object, "apiVersion"), text(object, "kind"))
}

/// A text of an object.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Bytes of an object in a review.
pub(super) fn size(object: &Value) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, object).expect("a JSON value always serialises");
    counter.0
}
