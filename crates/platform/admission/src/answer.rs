//! Answers to `AdmissionReview`s, and how they are written.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::Error as _;
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

/// How long an answer is without its patch, in bytes, where it is a yes.
const USUAL_BYTES: usize = 256;

/// An `AdmissionReview` that answers.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    review: Review<'a>,
    /// Changes of the object.
    patch: Option<&'a Changes>,
}

#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<AuditAnnotations>,
}

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
            warnings: Vec::new(),
            audit_annotations: None,
        };
        response.allowed = response.status.is_none();
        if let Answer::Judged(verdict) = answer {
            response.warnings = verdict.warnings().iter().map(Warning::to_string).collect();
            response.audit_annotations = AuditAnnotations::of(verdict);
        }
        let patch = match answer {
            Answer::Allow(changes) if !changes.is_empty() => Some(changes),
            _ => None,
        };
        Self {
            review: Review {
                api_version,
                kind: "AdmissionReview",
                response,
            },
            patch,
        }
    }

    /// As JSON, with the patch as JSON in base64.
    ///
    /// # Errors
    /// None that are known: all of it is text.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        const END: &[u8] = b"}}";
        const BEFORE: &[u8] = br#","patchType":"JSONPatch","patch":""#;
        let Some(patch) = self.patch.map(Changes::as_json) else {
            return serde_json::to_vec(&self.review);
        };
        // Base64 is a third longer, needs no escapes, and is not looked through for them: it is put in at the end of the
        // response, which is that of the review.
        let mut json = Vec::with_capacity(USUAL_BYTES + patch.len() / 3 * 4);
        serde_json::to_writer(&mut json, &self.review)?;
        json.truncate(json.len() - END.len());
        json.extend_from_slice(BEFORE);
        let mut json = String::from_utf8(json).map_err(serde_json::Error::custom)?;
        STANDARD.encode_string(patch, &mut json);
        json.push('"');
        let mut json = json.into_bytes();
        json.extend_from_slice(END);
        Ok(json)
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
        let json = Answered::new(version, "u-1", answer).to_json().unwrap();
        serde_json::from_slice(&json).unwrap()
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
