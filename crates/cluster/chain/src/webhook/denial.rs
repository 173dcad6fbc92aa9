//! What the user reads when a webhook says no, or cannot be asked.

use serde_json::Value;
use toolforge_kinds::Status;

use super::call::CallError;

/// The code of a refusal that names none.
const DEFAULT_CODE: u16 = 403;

/// Reasons that clients know; a webhook may only give one of these.
const REASONS: &[&str] = &[
    "Unauthorized",
    "Forbidden",
    "NotFound",
    "AlreadyExists",
    "Conflict",
    "Gone",
    "Invalid",
    "ServerTimeout",
    "Timeout",
    "TooManyRequests",
    "BadRequest",
    "MethodNotAllowed",
    "NotAcceptable",
    "RequestEntityTooLarge",
    "UnsupportedMediaType",
    "InternalError",
    "Expired",
    "ServiceUnavailable",
];

/// The refusal of a webhook, from the `Status` that it sent.
pub(super) fn denied(webhook: &str, status: &Value) -> Status {
    let text = |field: &str| {
        status
            .get(field)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let message = match text("message").or_else(|| text("reason")) {
        Some(why) => format!("admission webhook {webhook:?} denied the request: {why}"),
        None => format!("admission webhook {webhook:?} denied the request without explanation"),
    };
    let code = status
        .get("code")
        .and_then(Value::as_u64)
        .and_then(|code| u16::try_from(code).ok());
    let code = code
        .filter(|code| (400..600).contains(code))
        .unwrap_or(DEFAULT_CODE);
    let reason = text("reason").and_then(|reason| REASONS.iter().copied().find(|known| *known == reason));
    let default = if code == DEFAULT_CODE { "Forbidden" } else { "" };
    let details = status
        .get("details")
        .filter(|details| details.is_object())
        .cloned();
    Status::custom(code, reason.unwrap_or(default), message, details)
}

/// The webhook should have been asked and could not be.
pub(super) fn unreachable(webhook: &str, error: &CallError) -> Status {
    Status::internal(failed(webhook, error))
}

/// What is logged, and shown where it matters.
pub(super) fn failed(webhook: &str, error: &CallError) -> String {
    let step = match error {
        CallError::Post { .. } => "failed to call webhook: ",
        _ => "",
    };
    format!("failed calling webhook {webhook:?}: {step}{error}")
}

/// The request will not be stored, and the webhook does not promise to leave the world alone then.
pub(super) fn no_dry_run(webhook: &str) -> Status {
    Status::bad_request(format!("admission webhook {webhook:?} does not support dry run"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_have_the_words_of_kubernetes_and_the_code_of_the_webhook() {
        for (status, code, reason, message) in [
            (
                Value::Null,
                403,
                "Forbidden",
                "admission webhook \"w\" denied the request without explanation",
            ),
            (
                json!({"message": "no"}),
                403,
                "Forbidden",
                "admission webhook \"w\" denied the request: no",
            ),
            (
                json!({"reason": "Invalid"}),
                403,
                "Invalid",
                "admission webhook \"w\" denied the request: Invalid",
            ),
            (
                json!({"code": 422, "message": "no"}),
                422,
                "",
                "admission webhook \"w\" denied the request: no",
            ),
            (
                json!({"code": 200, "message": "no"}),
                403,
                "Forbidden",
                "admission webhook \"w\" denied the request: no",
            ),
            (
                json!({"code": 99999, "reason": "Whim"}),
                403,
                "Forbidden",
                "admission webhook \"w\" denied the request: Whim",
            ),
        ] {
            let denial = denied("w", &status);
            assert_eq!(
                (denial.code, denial.reason, denial.message.as_str()),
                (code, reason, message),
                "{status}"
            );
        }
    }
}
