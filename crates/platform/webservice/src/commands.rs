//! The actions of `webservice`, one file each, and how they end.

mod intent;
mod logs;
mod restart;
mod scale;
mod serve;
mod start;
mod status;
mod stop;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::{
    cli::{Action, Cli},
    error::WebserviceError,
    session::Session,
};

/// Runs what was asked for.
pub(crate) async fn run(cli: Cli) -> Result<(), WebserviceError> {
    let session = Session::open().await?;
    match cli.action {
        Action::Start(arguments) => start::run(&session, &arguments).await,
        Action::Stop(arguments) => stop::run(&session, &arguments).await,
        Action::Restart(arguments) => restart::run(&session, &arguments).await,
        Action::Scale(arguments) => scale::run(&session, &arguments).await,
        Action::Status(arguments) => status::run(&session, arguments.output).await,
        Action::Logs(arguments) => logs::run(&session, &arguments).await,
    }
}

/// Says what went wrong, with its causes, and gives the exit code.
pub(crate) fn finish(outcome: Result<(), WebserviceError>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    anstream::eprintln!("{red}error:{red:#} {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        anstream::eprintln!("  because {next}");
        cause = next.source();
    }
    if let Some(step) = error.next_step() {
        anstream::eprintln!("  next: {step}");
    }
    ExitCode::from(error.code())
}
