//! Where a command is to run, and which.

use clap::Args;

use super::SettingsArgs;

/// Of `shell`.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// Of `exec`.
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// The Pod, as `webservice logs` names it [default: one that is ready]
    #[arg(value_name = "POD", conflicts_with = "replica")]
    pub(crate) pod: Option<String>,
    /// The replica by its number, from 1, in the order of the Pods' names
    #[arg(short, long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) replica: Option<u16>,
    /// The command [default: a shell]
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}
