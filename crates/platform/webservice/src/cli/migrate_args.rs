//! The options of `migrate`.

use std::time::Duration;

use clap::{Args, value_parser};

use super::SettingsArgs;
use crate::diagnosis::LISTEN_PATIENCE;

/// Of `migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// How long a program that runs may take until it listens
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = LISTEN_PATIENCE.as_secs(),
        value_parser = value_parser!(u64).range(1..=600)
    )]
    timeout: u64,
}

impl MigrateArgs {
    /// How long a program that runs may take until it listens.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}
