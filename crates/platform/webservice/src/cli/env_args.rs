//! The environment of a webservice, as options and as an action of its own.

use clap::{Args, Subcommand};

use super::FollowArgs;

/// Of `env`.
#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    #[command(subcommand)]
    pub(crate) action: EnvAction,
}

/// What is to be done with the environment.
#[derive(Debug, Subcommand)]
pub(crate) enum EnvAction {
    /// Set variables; a webservice that runs is restarted without downtime
    Set {
        /// The variables; the value of `KEY` or `KEY=-` is read from standard input, and not shown
        #[arg(required = true, value_name = "KEY=VALUE")]
        assignments: Vec<String>,
        #[command(flatten)]
        apply: ApplyArgs,
    },
    /// Take variables away; a webservice that runs is restarted without downtime
    Unset {
        /// The names of the variables
        #[arg(required = true, value_name = "KEY")]
        names: Vec<String>,
        #[command(flatten)]
        apply: ApplyArgs,
    },
    /// Show the names of the variables
    List {
        /// Show the values, too
        #[arg(long)]
        show_values: bool,
    },
}

/// When a change takes effect.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ApplyArgs {
    /// Leave what runs as it is; the next start or restart takes the change in
    #[arg(long)]
    pub(crate) no_restart: bool,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}
