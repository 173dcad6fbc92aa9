//! How the program ends: what it says and with which code.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// Something was wrong with what the user asked for or with what the program met.
const FAILED: u8 = 1;

/// Prints an error, with its causes, and turns the outcome into an exit code.
pub(crate) fn exit_code(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::from(FAILED)
        }
    }
}

/// One line for the error, one for each cause.
pub(crate) fn report(error: &anyhow::Error) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    for (depth, cause) in error.chain().enumerate() {
        // What the API says is a sentence already; the rest of its answer is for programs.
        let refusal = cause.downcast_ref::<kube::Error>().and_then(|error| match error {
            kube::Error::Api(status) => Some(&status.message),
            _ => None,
        });
        let sentence = refusal.cloned().unwrap_or_else(|| cause.to_string());
        if depth == 0 {
            anstream::eprintln!("{red}error:{red:#} {sentence}");
        } else {
            anstream::eprintln!("  because {sentence}");
        }
        if refusal.is_some() {
            break;
        }
    }
}
