//! What the API answers when it does not do what it is asked: problem details (RFC 9457).

use std::io;

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use toolforge_model::ToolName;

use crate::{Claim, Fault, Full, fault::quoted, limits::BODY_BYTES, owner::Owner};

/// Why not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            r#type: "about:blank",
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    pub(super) fn no_certificate() -> Self {
        let detail = "show the certificate that the cluster has issued to the tool: ~/.toolskube/client.crt with client.key";
        Self::new(StatusCode::UNAUTHORIZED, "No certificate", detail)
    }

    pub(super) fn nobody(name: &str) -> Self {
        let detail = format!(
            "the certificate of {} is no tool's; show that of the tool, ~/.toolskube/client.crt with client.key",
            quoted(name)
        );
        Self::new(StatusCode::FORBIDDEN, "Not a tool", detail)
    }

    pub(super) fn not_yours(owner: &Owner, name: &str) -> Self {
        match owner {
            Owner::Nobody(nobody) => Self::nobody(nobody),
            Owner::Operator => {
                let detail = format!("{} is no name of a tool", quoted(name));
                Self::new(StatusCode::NOT_FOUND, "No such tool", detail)
            }
            Owner::Tool(own) => {
                let detail = format!(
                    "the certificate is that of {own}, and {} is another tool; ask for /v1/tools/{own}/registrations",
                    quoted(name)
                );
                Self::new(StatusCode::FORBIDDEN, "Not your tool", detail)
            }
        }
    }

    pub(super) fn not_for_operators(tool: &ToolName) -> Self {
        let detail =
            format!("operators see and remove registrations; {tool} registers with its own certificate");
        Self::new(StatusCode::FORBIDDEN, "Not your tool", detail)
    }

    pub(super) fn not_registered(tool: &ToolName, claim: &Claim) -> Self {
        let detail =
            format!("{tool} has not registered {claim}; /v1/tools/{tool}/registrations has what it has");
        Self::new(StatusCode::NOT_FOUND, "Not registered", detail)
    }

    pub(super) fn no_such_url() -> Self {
        let detail = "there are /v1/registrations, /v1/tools/TOOL/registrations, /v1/tools/TOOL/hosts/HOST/PATH and /v1/tools/TOOL/patterns/PATTERN";
        Self::new(StatusCode::NOT_FOUND, "No such URL", detail)
    }

    pub(super) fn method() -> Self {
        let detail = "registrations are asked for with GET, made with PUT and taken back with DELETE; lists are asked for with GET";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "No such method here", detail)
    }

    pub(super) fn too_large() -> Self {
        let detail =
            format!("the body could not be read; a registration has no more than {BODY_BYTES} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Too large", detail)
    }

    pub(super) fn unreadable(reason: &str) -> Self {
        let detail = format!(
            r#"the body is no registration: {reason}; write JSON such as {{"destination": "http://192.0.2.1:8000"}}"#
        );
        Self::new(StatusCode::BAD_REQUEST, "Not a registration", detail)
    }

    pub(super) fn faults(errors: Vec<Fault>) -> Self {
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Self {
            errors,
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "It breaks a rule",
                told.join("; "),
            )
        }
    }

    pub(super) fn full(full: Full) -> Self {
        let way_out = match full {
            Full::Tool => "take back one that is not needed",
            Full::All => "ask the platform's operators",
        };
        Self::new(StatusCode::CONFLICT, "No room", format!("{full}; {way_out}"))
    }

    pub(super) fn not_kept(error: &io::Error) -> Self {
        tracing::error!(%error, "a registration could not be kept on disk");
        let detail = "it could not be kept on disk, and nothing has changed; try again later";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Not kept", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_string(&self).unwrap_or_default();
        (status, [(CONTENT_TYPE, "application/problem+json")], text).into_response()
    }
}
