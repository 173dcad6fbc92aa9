//! How an action that changes a webservice waits for the outcome, as options.

use std::time::Duration;

use clap::{Args, value_parser};

use super::settings_args::copies;
use crate::diagnosis::LISTEN_PATIENCE;

/// Longer than this nobody looks at a spinner.
const TIMEOUT_MOST_SECONDS: u64 = 600;

/// Of actions that bring a webservice up.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct FollowArgs {
    /// Return at once, without following what happens
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long a program that runs may take until it serves
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = LISTEN_PATIENCE.as_secs(),
        value_parser = value_parser!(u64).range(1..=TIMEOUT_MOST_SECONDS)
    )]
    timeout: u64,
}

impl FollowArgs {
    /// How long a program that runs may take until it serves.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Of `scale`.
#[derive(Debug, Args)]
pub(crate) struct ScaleArgs {
    /// How many copies are to run
    #[arg(value_name = "NUMBER", value_parser = copies)]
    pub(crate) replicas: u16,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}
