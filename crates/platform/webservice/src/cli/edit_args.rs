//! What becomes of an edited template.

use clap::Args;

use super::FollowArgs;

/// Of `edit`.
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// Restart the webservice with it, without downtime; start it if it does not run
    #[arg(long)]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}
