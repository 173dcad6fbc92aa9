//! `AdmissionReview`: the question to a webhook, and its answer.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use toolforge_kinds::Kind;

use super::definition::Phase;
use crate::attributes::Attributes;

/// The version of the reviews that a webhook speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Version {
    #[default]
    V1,
    /// The same fields, and looser answers: they need no uid and no type of their patch.
    V1Beta1,
}

impl Version {
    /// The first version that is spoken here of those that a webhook names, in its order.
    pub(super) fn of(names: &[String]) -> Self {
        let known = names.iter().find_map(|name| match name.as_str() {
            "v1" => Some(Self::V1),
            "v1beta1" => Some(Self::V1Beta1),
            _ => None,
        });
        known.unwrap_or_default()
    }

    fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "admission.k8s.io/v1",
            Self::V1Beta1 => "admission.k8s.io/v1beta1",
        }
    }
}

/// What one question is told apart by from others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) uid: &'a str,
    pub(super) version: Version,
}

/// The question about a write, with the objects as the `kind` that the webhook wants; null where there is none.
pub(super) fn question(
    asked: Asked<'_>,
    attributes: &Attributes,
    kind: &Kind,
    object: Value,
    old: Value,
) -> Value {
    let subresource = attributes.subresource.as_deref().unwrap_or_default();
    let mut request = json!({
        "uid": asked.uid,
        "kind": kind_of(kind, subresource),
        "resource": resource_of(kind),
        "requestKind": kind_of(attributes.kind, subresource),
        "requestResource": resource_of(attributes.kind),
        "operation": attributes.operation.name(),
        "userInfo": user_of(attributes),
        "dryRun": attributes.dry_run,
        "options": attributes.options,
    });
    request["object"] = object;
    request["oldObject"] = old;
    for (field, value) in [
        ("subResource", subresource),
        ("requestSubResource", subresource),
        ("name", &attributes.name),
        ("namespace", attributes.namespace.as_deref().unwrap_or_default()),
    ] {
        if !value.is_empty() {
            request[field] = Value::from(value);
        }
    }
    json!({"apiVersion": asked.version.api_version(), "kind": "AdmissionReview", "request": request})
}

/// The kind of what goes through the subresource, such as `Scale`.
fn kind_of(kind: &Kind, subresource: &str) -> Value {
    let (group, version, kind) = kind
        .subresource(subresource)
        .map_or((kind.group, kind.version, kind.kind), |subresource| {
            subresource.object(kind)
        });
    json!({"group": group, "version": version, "kind": kind})
}

fn resource_of(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "resource": kind.plural})
}

fn user_of(attributes: &Attributes) -> Value {
    let user = &attributes.user;
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = Value::from(user.uid.as_str());
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}

/// A webhook's answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    /// The `Status` that goes with a refusal.
    pub(super) status: Value,
    pub(super) patch: Option<Value>,
    pub(super) warnings: Vec<String>,
    /// For the audit log.
    pub(super) annotations: BTreeMap<String, String>,
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("the answer is no AdmissionReview: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("expected webhook response of {expected}, Kind=AdmissionReview, got {api_version}, Kind={kind}")]
    WrongKind {
        expected: &'static str,
        api_version: String,
        kind: String,
    },
    #[error("webhook response was absent")]
    Absent,
    #[error("expected response.uid={expected:?}, got {got:?}")]
    WrongUid { expected: String, got: String },
    #[error("webhook returned response.patch but not response.patchType")]
    PatchWithoutType,
    #[error("webhook returned invalid response.patchType of {0:?}")]
    PatchType(String),
    #[error("the patch cannot be read: {0}")]
    Patch(String),
    #[error("validating webhook may not return response.patch")]
    Uninvited,
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
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    uid: String,
    allowed: bool,
    #[serde(default)]
    status: Value,
    patch: Option<String>,
    patch_type: Option<String>,
    warnings: Option<Vec<String>>,
    audit_annotations: Option<BTreeMap<String, String>>,
}

/// Reads the answer to a question.
pub(super) fn answer(bytes: &[u8], asked: Asked<'_>, phase: Phase) -> Result<Answer, AnswerError> {
    let Asked { uid, version } = asked;
    let review: Review = serde_json::from_slice(bytes)?;
    let is_loose = version == Version::V1Beta1;
    let names_none = review.api_version.is_empty() && review.kind.is_empty();
    let names_it = review.api_version == version.api_version() && review.kind == "AdmissionReview";
    if !(names_it || (is_loose && names_none)) {
        return Err(AnswerError::WrongKind {
            expected: version.api_version(),
            api_version: review.api_version,
            kind: review.kind,
        });
    }
    let response = review.response.ok_or(AnswerError::Absent)?;
    if response.uid != uid && !is_loose {
        return Err(AnswerError::WrongUid {
            expected: uid.to_owned(),
            got: response.uid,
        });
    }
    let patch = response.patch.filter(|patch| !patch.is_empty());
    let patch = match (patch, response.patch_type.as_deref()) {
        (None, _) => None,
        (Some(_), _) if phase == Phase::Validating => return Err(AnswerError::Uninvited),
        (Some(_), None) if !is_loose => return Err(AnswerError::PatchWithoutType),
        (Some(patch), None | Some("JSONPatch")) => Some(read_patch(&patch)?),
        (Some(_), Some(other)) => return Err(AnswerError::PatchType(other.to_owned())),
    };
    Ok(Answer {
        allowed: response.allowed,
        status: response.status,
        patch,
        warnings: response.warnings.unwrap_or_default(),
        annotations: response.audit_annotations.unwrap_or_default(),
    })
}

fn read_patch(encoded: &str) -> Result<Value, AnswerError> {
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|error| AnswerError::Patch(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| AnswerError::Patch(error.to_string()))
}

#[cfg(test)]
mod tests;
