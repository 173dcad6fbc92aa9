//! What a command came to, as the last word on the error stream.

use serde_json::{Value, json};

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It ended with code 0; or, for an attachment, the container ended.
    Success,
    /// It ended with another code.
    ExitCode {
        /// The code; 128 and the signal's number when a signal ended it.
        code: i32,
        /// The command that did, for the message.
        command: Vec<String>,
    },
    /// It could not be run or watched; why.
    Failed(String),
}

impl Verdict {
    /// The `Status` object that version 4 of the protocol and later end with.
    pub(crate) fn to_status(&self) -> Value {
        match self {
            Self::Success => json!({"metadata": {}, "status": "Success"}),
            Self::ExitCode { code, .. } => json!({
                "metadata": {},
                "status": "Failure",
                "message": format!("command terminated with non-zero exit code: {}", self.words()),
                "reason": "NonZeroExitCode",
                "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
            }),
            Self::Failed(why) => json!({
                "metadata": {},
                "status": "Failure",
                "message": format!("Internal error occurred: {why}"),
                "reason": "InternalError",
                "details": {"causes": [{"message": why}]},
                "code": 500,
            }),
        }
    }

    /// The text that older versions of the protocol end with; nothing for a success.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Success => String::new(),
            Self::ExitCode { .. } => {
                format!("command terminated with non-zero exit code: {}", self.words())
            }
            Self::Failed(why) => format!("Internal error occurred: {why}"),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::ExitCode { code, command } => {
                format!(
                    "error executing command [{}], exit code {code}",
                    command.join(" ")
                )
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_the_cause_that_clients_look_for() {
        let verdict = Verdict::ExitCode {
            code: 3,
            command: vec!["sh".to_owned(), "-c".to_owned(), "exit 3".to_owned()],
        };
        let status = verdict.to_status();
        assert_eq!(status["reason"], "NonZeroExitCode");
        assert_eq!(
            status["details"]["causes"],
            json!([{"reason": "ExitCode", "message": "3"}])
        );
        assert!(verdict.to_text().ends_with("exit code 3"));
        assert_eq!(Verdict::Success.to_status()["status"], "Success");
        assert_eq!(Verdict::Success.to_text(), "");
    }
}
