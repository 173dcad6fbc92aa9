//! From the status at the end of a connection to an exit code.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

use super::lost;
use crate::error::WebserviceError;

/// The exit code of the command.
pub(super) fn code_of(status: Option<&Status>) -> Result<u8, WebserviceError> {
    let Some(status) = status else { return Err(lost()) };
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status
        .details
        .as_ref()
        .and_then(|details| details.causes.as_ref());
    let code = causes
        .into_iter()
        .flatten()
        .filter(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .find_map(|cause| cause.message.as_deref()?.parse::<u8>().ok());
    code.ok_or_else(|| {
        WebserviceError::Failed(format!(
            "the command cannot be run in your Pod: {}",
            status.message.as_deref().unwrap_or("no reason is given")
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_command() {
        let of = |status: serde_json::Value| code_of(serde_json::from_value(status).ok().as_ref());
        assert_eq!(of(json!({ "status": "Success" })).unwrap(), 0);
        let ended = json!({ "status": "Failure", "reason": "NonZeroExitCode", "details": {
            "causes": [{ "reason": "ExitCode", "message": "137" }],
        } });
        assert_eq!(of(ended).unwrap(), 137);
        let none = json!({ "status": "Failure", "message": "no such file" });
        assert!(of(none).unwrap_err().to_string().contains("no such file"));
        assert_eq!(code_of(None).unwrap_err().code(), 9);
    }
}
