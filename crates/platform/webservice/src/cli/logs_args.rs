//! Which part of the logs is wanted.

use clap::Args;

use super::SettingsArgs;

/// Of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Go on as lines come in, also of Pods that come; Ctrl-C ends it
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last lines, of all replicas together
    #[arg(short, long, visible_alias = "tail", value_name = "LINES")]
    pub(crate) last: Option<u32>,
    /// Only lines since then: how long ago, such as 10m or 1h30m, or a moment, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// What was printed by those that ran before the last crash
    #[arg(long, conflicts_with = "follow")]
    pub(crate) previous: bool,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}
