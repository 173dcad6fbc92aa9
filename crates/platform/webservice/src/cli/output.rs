//! Answers for programs, as an option of actions that tell something.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::SettingsArgs;
use crate::error::WebserviceError;

/// Of actions that tell something.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArgs {
    /// For programs: json or yaml, with keys that stay
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
}

/// A form that programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Json,
    Yaml,
}

impl Format {
    /// Prints an answer.
    pub(crate) fn print(self, answer: &impl Serialize) -> Result<(), WebserviceError> {
        let unprintable =
            |error: String| WebserviceError::Failed(format!("the answer cannot be printed: {error}"));
        match self {
            Self::Json => {
                let text =
                    serde_json::to_string_pretty(answer).map_err(|error| unprintable(error.to_string()))?;
                anstream::println!("{text}");
            }
            Self::Yaml => {
                let text = serde_saphyr::to_string(answer).map_err(|error| unprintable(error.to_string()))?;
                anstream::print!("{text}");
            }
        }
        Ok(())
    }
}

/// Of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}
