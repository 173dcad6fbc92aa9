//! Completion and manual pages, as actions.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Of `completion`.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell, such as bash, zsh or fish
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder, such as ~/.local/share/man/man1
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
