//! Answers to `AdmissionReview`s, and how they are written.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;
use toolforge_policy::{Changes, Verdict, Warning};

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The object may pass, with these changes.
    Allow(Changes),
    /// The object is refused.
    Deny(String),
    /// What a policy says, with its reasons.
    Judged(Verdict),
    /// Nobody can say yet; the client should ask again.
    Later(String),
}

impl Answer {
    /// The object may pass as it is.
    pub(crate) fn unchanged() -> Self {
        Self::Allow(Changes::default())
    }

    /// What its owner is told when the object may not pass.
    pub(crate) fn refusal(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Allow(_) => None,
            Self::Judged(verdict) => (!verdict.is_allowed()).then(|| verdict.message().into()),
            Self::Deny(message) | Self::Later(message) => Some(message.into()),
        }
    }

    /// Its name in the metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Later(_) => "later",
            Self::Deny(_) => "refused",
            Self::Judged(verdict) if !verdict.is_allowed() => "refused",
            Self::Allow(_) | Self::Judged(_) => "allowed",
        }
    }

    /// What stands for a refusal in the answer.
    fn status(&self) -> Option<Status<'_>> {
        let message = self.refusal()?;
        let later = matches!(self, Self::Later(_));
        let (code, reason) = if later {
            (503, "ServiceUnavailable")
        } else {
            (403, "Forbidden")
        };
        Some(Status {
            outcome: "Failure",
            code,
            reason,
            message,
            details: later.then_some(Details {
                retry_after_seconds: 1,
            }),
        })
    }
}

/// An `AdmissionReview` that answers.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered<'a> {
    api_version: &'a str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<Patch<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<AuditAnnotations>,
}

/// Changes of the object, written as JSON in base64.
#[derive(Debug)]
struct Patch<'a>(&'a Changes);

/// What the client of the API is told.
#[derive(Debug, serde::Serialize)]
struct Status<'a> {
    #[serde(rename = "status")]
    outcome: &'static str,
    code: u16,
    reason: &'static str,
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    retry_after_seconds: u32,
}

/// What Kubernetes writes into its audit log, with the name of the webhook before the key.
#[derive(Debug, serde::Serialize)]
struct AuditAnnotations {
    /// The rules that an object breaks, joined by commas.
    rules: String,
}

impl<'a> Answered<'a> {
    /// The answer to the question with this API version and uid.
    pub(crate) fn new(api_version: &'a str, uid: &'a str, answer: &'a Answer) -> Self {
        let mut response = Response {
            uid,
            allowed: false,
            status: answer.status(),
            patch_type: None,
            patch: None,
            warnings: Vec::new(),
            audit_annotations: None,
        };
        response.allowed = response.status.is_none();
        match answer {
            Answer::Allow(changes) if changes.is_empty() => {}
            Answer::Allow(changes) => {
                response.patch_type = Some("JSONPatch");
                response.patch = Some(Patch(changes));
            }
            Answer::Judged(verdict) => {
                response.warnings = verdict.warnings().iter().map(Warning::to_string).collect();
                response.audit_annotations = AuditAnnotations::of(verdict);
            }
            Answer::Deny(_) | Answer::Later(_) => {}
        }
        Self {
            api_version,
            kind: "AdmissionReview",
            response,
        }
    }
}

impl Serialize for Patch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Base64 needs no escapes: it is not looked through for them.
        let mut text = String::from('"');
        STANDARD.encode_string(self.0.as_json(), &mut text);
        text.push('"');
        let text = RawValue::from_string(text).map_err(S::Error::custom)?;
        text.serialize(serializer)
    }
}

impl AuditAnnotations {
    fn of(verdict: &Verdict) -> Option<Self> {
        let rules: BTreeSet<&str> = verdict.offences().iter().map(|offence| offence.rule).collect();
        (!rules.is_empty()).then(|| Self {
            rules: rules.into_iter().collect::<Vec<_>>().join(","),
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};
    use toolforge_policy::{Workload, forgo_token};

    use super::{Answer, Answered};

    fn answered(version: &str, answer: &Answer) -> Value {
        serde_json::to_value(Answered::new(version, "u-1", answer)).unwrap()
    }

    #[test]
    fn have_the_uid_and_the_version_of_the_question() {
        for version in ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"] {
            let expected = json!({
                "apiVersion": version, "kind": "AdmissionReview", "response": {"uid": "u-1", "allowed": true},
            });
            assert_eq!(answered(version, &Answer::unchanged()), expected);
        }
    }

    #[test]
    fn say_what_is_changed_and_why_it_is_refused() {
        let pod = json!({"spec": {"containers": []}});
        let mut pod = Workload::read("Pod", "tool-alpha", &pod).unwrap();
        let changes = forgo_token(&mut pod);
        let patch = STANDARD.encode(changes.as_json());
        assert_eq!(
            answered("v", &Answer::Allow(changes))["response"],
            json!({"uid": "u-1", "allowed": true, "patchType": "JSONPatch", "patch": patch})
        );
        let refused = answered("v", &Answer::Deny("no".to_owned()));
        assert_eq!(
            refused["response"],
            json!({
                "uid": "u-1", "allowed": false,
                "status": {"status": "Failure", "code": 403, "reason": "Forbidden", "message": "no"},
            })
        );
        let later = answered("v", &Answer::Later("wait".to_owned()));
        assert_eq!(
            later["response"]["status"],
            json!({
                "status": "Failure", "code": 503, "reason": "ServiceUnavailable", "message": "wait",
                "details": {"retryAfterSeconds": 1},
            })
        );
    }
}
