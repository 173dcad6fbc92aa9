//! Completion for shells, and manual pages: both are made from the command line itself, so they never lag behind it.

use std::{io, path::Path};

use clap::{Command, builder::PossibleValuesParser};
use clap_complete::Shell;

use crate::{cli::Cli, error::WebserviceError};

/// The types that are completed: those that platforms offer whose operators name none, and the names without a version
/// that lead to them. Completion asks no API, so that it is there at once.
const TYPES: [&str; 23] = [
    "buildservice",
    "generic",
    "golang",
    "golang1.19",
    "jdk",
    "jdk17",
    "node",
    "node18",
    "node20",
    "perl",
    "perl5.36",
    "php",
    "php7.4",
    "php8.2",
    "python",
    "python3.11",
    "python3.9",
    "ruby",
    "ruby3.1",
    "static",
    "tcl",
    "tcl8.6",
    "uwsgi-plain",
];
/// The argument that names a type.
const TYPE: &str = "kind";

/// The `webservice` command as completion and manual pages show it.
pub fn command() -> Command {
    Cli::complete().mut_subcommands(|action| {
        let has_type = action.get_arguments().any(|argument| argument.get_id() == TYPE);
        if !has_type {
            return action;
        }
        action.mut_arg(TYPE, |kind| kind.value_parser(PossibleValuesParser::new(TYPES)))
    })
}

/// Prints what a shell reads to complete `webservice`.
pub(crate) fn print_completion(shell: Shell) {
    // The type may come first, too.
    let kind = clap::Arg::new("type").value_parser(PossibleValuesParser::new(TYPES));
    let mut command = command().arg(kind);
    clap_complete::generate(shell, &mut command, "webservice", &mut io::stdout());
}

/// Writes `webservice.1` and a page for each action into a folder, which is made if it is not there.
pub(crate) fn write_pages(folder: &Path) -> Result<(), WebserviceError> {
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(without_value_lists(command()), folder));
    written.map_err(|source| WebserviceError::Output {
        doing: "writing the manual pages",
        source,
    })
}

/// In a page the types would be said once for each action, and be those of other platforms.
fn without_value_lists(command: Command) -> Command {
    command.mut_subcommands(|action| {
        let has_type = action.get_arguments().any(|argument| argument.get_id() == TYPE);
        if !has_type {
            return action;
        }
        action.mut_arg(TYPE, |kind| kind.hide_possible_values(true))
    })
}

#[cfg(test)]
mod tests;
