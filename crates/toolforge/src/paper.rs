//! Completion for shells, and manual pages: made from the command line itself, so that they never lag behind it.

use std::{io, path::Path, process::ExitCode};

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;

/// Prints what a shell reads to complete `toolforge`, the maintainer's command below it included.
pub(crate) fn print_completion(shell: Shell) -> ExitCode {
    clap_complete::generate(shell, &mut whole(), "toolforge", &mut io::stdout());
    ExitCode::SUCCESS
}

/// Writes `toolforge.1`, `webservice.1`, and a page for each of their commands.
pub(crate) fn write_pages(folder: &Path) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .and_then(|()| clap_mangen::generate_to(toolforge_webservice::command(), folder))
        .with_context(|| format!("the manual pages cannot be written to {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Below `toolforge`, `webservice` stands as a word with what follows unread; here it is what it is.
fn whole() -> clap::Command {
    let webservice = toolforge_webservice::command();
    let mut whole = clap::Command::new("toolforge");
    for command in Cli::command().get_subcommands() {
        let is_webservice = command.get_name() == webservice.get_name();
        whole = whole.subcommand(if is_webservice {
            webservice.clone()
        } else {
            command.clone()
        });
    }
    whole
}
