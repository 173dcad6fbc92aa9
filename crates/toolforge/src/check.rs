//! `toolforge check`: the verdicts of the guards on files, before anything is applied; by the functions that the webhooks
//! ask. Offline, unless `--from-platform` is given.

mod account;
mod grants;
mod judgement;
mod kind;
mod output;
mod report;
mod sources;
mod text;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use toolforge_model::ToolName;

use crate::{outcome, rules};
use account::AccountArgs;
use grants::GrantArgs;
use judgement::{Check, Outcome};
use report::Report;

/// An object was refused.
const REFUSED: u8 = 1;
/// Something could not be read, or the command line was wrong; clap ends with the same.
const UNREADABLE: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A file of objects, YAML or JSON; a folder for all *.yaml, *.yml and *.json in it; - for the standard input; can be
    /// given more than once
    #[arg(short, long = "file", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Judge as this tool: objects belong into its namespace, and must be of kinds that it may write
    #[arg(long, value_name = "NAME", value_parser = rules::tool_name)]
    as_tool: Option<ToolName>,
    #[command(flatten)]
    rules: rules::RulesArgs,
    #[command(flatten)]
    account: AccountArgs,
    #[command(flatten)]
    grants: GrantArgs,
    /// Show each object as the platform would complete it
    #[arg(long)]
    show: bool,
    /// How to print: text, json (an array), or yaml (the completed objects)
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Yaml,
}

pub(crate) fn run(arguments: &CheckArgs) -> ExitCode {
    match check(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            outcome::report(&error);
            ExitCode::from(UNREADABLE)
        }
    }
}

fn check(arguments: &CheckArgs) -> anyhow::Result<u8> {
    let named: Vec<&Path> = arguments.files.iter().map(PathBuf::as_path).collect();
    sources::check_standard_input(named.into_iter().chain(arguments.grants.paths()))?;
    let sources = sources::read(&arguments.files)?;
    let tool = arguments.as_tool.as_ref();
    let rules = arguments.rules.read()?;
    let tools = account::tools_of(&sources, tool);
    let accounts = arguments.account.find(&rules, &tools)?;
    let grants = arguments.grants.find(&rules, &tools)?;
    let check = Check::new(&rules.policies, tool, accounts, grants);
    let report = Report::of(&sources, &check);
    let printed = match arguments.output {
        Format::Text => text::print(&report, arguments.show, &rules.origin, check.unknown()),
        Format::Json => output::json(&report, arguments.show),
        Format::Yaml => output::yaml(&report),
    };
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(printed?.as_bytes())?;
    stdout.flush()?;
    if arguments.output == Format::Yaml {
        // The objects have no room for it.
        for (file, error) in report.unreadable() {
            anstream::eprintln!("{}", text::unreadable(file, error));
        }
    }
    Ok(code(&report))
}

fn code(report: &Report<'_>) -> u8 {
    if report.unreadable().next().is_some() {
        UNREADABLE
    } else if report
        .judged()
        .any(|(_, judgement)| judgement.outcome == Outcome::Refused)
    {
        REFUSED
    } else {
        0
    }
}
