//! The command line. Each action is a subcommand with its own options: `webservice start [TYPE] [OPTIONS]`.
//! The order that it has always had, `webservice [OPTIONS] [TYPE] ACTION [OPTIONS]`, means the same; `words`
//! turns it into the other before clap reads it.

mod edit_args;
mod env_args;
mod follow_args;
mod history_args;
mod inside_args;
mod logs_args;
mod migrate_args;
mod output;
mod paper_args;
mod settings_args;
mod words;

use std::ffi::OsString;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind};

pub(crate) use edit_args::EditArgs;
pub(crate) use env_args::{ApplyArgs, EnvAction, EnvArgs};
pub(crate) use follow_args::{FollowArgs, ScaleArgs};
pub(crate) use history_args::{HistoryArgs, RollbackArgs};
pub(crate) use inside_args::{ExecArgs, ShellArgs};
pub(crate) use logs_args::LogsArgs;
pub(crate) use migrate_args::MigrateArgs;
pub(crate) use output::{OutputArgs, StatusArgs};
pub(crate) use paper_args::{CompletionArgs, ManArgs};
pub(crate) use settings_args::SettingsArgs;

/// Start, stop and look at a tool's webservice
#[derive(Debug, Parser)]
#[command(
    name = "webservice",
    version,
    override_usage = "webservice ACTION [TYPE] [OPTIONS] [-- EXTRA...]\n       \
                      webservice [OPTIONS] [TYPE] ACTION [-- EXTRA...]",
    after_help = "Types on this platform are those that `webservice start` lists when it is given none.\n\n\
                  Examples:\n  webservice static start                 serve ~/public_html\n  \
                  webservice python start                 serve `app` of ~/www/python/src/app.py (WSGI)\n  \
                  webservice generic start -- ./server    serve whatever listens on $PORT\n  \
                  webservice logs -f                      follow what it prints",
    subcommand_value_name = "ACTION",
    subcommand_help_heading = "Actions",
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Start the webservice, and follow it until its URL answers
    Start(StartArgs),
    /// Stop the webservice, and take away all that `start` made
    Stop(PlainArgs),
    /// Start it anew without downtime; what is named changes, everything else stays
    Restart(StartArgs),
    /// Run more copies of it, or fewer; those that run go on
    Scale(ScaleArgs),
    /// Move it from the grid to Kubernetes, under the same URL and without a failed request
    Migrate(MigrateArgs),
    /// Say how the webservice is
    Status(StatusArgs),
    /// Find the broken link between its URL and its process
    Why(StatusArgs),
    /// Show what the webservice printed
    Logs(LogsArgs),
    /// Open a shell, or run a command, in a Pod of its own with the image and the files of a type
    Shell(ShellArgs),
    /// Open a shell, or run a command, in a replica that runs
    Exec(ExecArgs),
    /// Set, take away and list variables of the webservice's environment, which are kept as a Secret
    Env(EnvArgs),
    /// Show the last configurations of the webservice
    History(HistoryArgs),
    /// Go back to an earlier configuration without downtime
    Rollback(RollbackArgs),
    /// Edit the settings of service.template, which are checked before they are put in place
    Edit(EditArgs),
    /// Print the URL
    Open(PlainArgs),
    /// Print what a shell reads to complete this command
    Completion(CompletionArgs),
    /// Write the manual pages into a folder
    Man(ManArgs),
}

/// Of actions that bring a webservice up.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Set a variable of its environment, as `webservice env set` does; can be given more than once
    #[arg(long = "env", value_name = "KEY=VALUE")]
    pub(crate) env: Vec<String>,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
}

/// Of actions that take nothing but what old scripts give to every action.
#[derive(Debug, Args)]
pub(crate) struct PlainArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// Actions that accept the settings of a webservice because they always have, and do nothing with them.
const SETTINGS_WITHOUT_USE: [&str; 5] = ["stop", "status", "why", "logs", "open"];

impl Cli {
    /// Reads the command line; the first argument is the program's name.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::complete();
        let arguments = words::in_order(&command, arguments.into_iter().collect())
            .map_err(|unknown| command.error(ErrorKind::InvalidSubcommand, unknown))?;
        let matches = command.try_get_matches_from_mut(arguments)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// The command as help, completion and man pages show it.
    pub(crate) fn complete() -> clap::Command {
        Self::command().mut_subcommands(|action| {
            if SETTINGS_WITHOUT_USE.contains(&action.get_name()) {
                settings_args::hide(action)
            } else if action.get_name() == "shell" {
                settings_args::for_a_shell(action)
            } else {
                action
            }
        })
    }
}

#[cfg(test)]
mod tests;
