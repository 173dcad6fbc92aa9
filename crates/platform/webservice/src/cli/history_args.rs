//! Which configuration to go back to.

use clap::Args;

use super::{FollowArgs, OutputArgs};

/// Of `history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Of `rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The configuration by its number in `webservice history` [default: the one before]
    #[arg(value_name = "REVISION")]
    pub(crate) revision: Option<u64>,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}
