//! The actions of `webservice`, one file each, and how they end.

mod adopt;
mod edit;
mod env;
mod exec;
mod history;
mod intent;
mod logs;
mod migrate;
mod on_grid;
mod only_kubernetes;
mod open;
mod restart;
mod rollback;
mod scale;
mod serve;
mod shell;
mod start;
mod status;
mod stop;
mod takeover;
mod why;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::{
    cli::{Action, Cli},
    error::WebserviceError,
    paper,
    session::Session,
};

/// Runs what was asked for; the exit code of what went well, which is that of the command where one was run.
pub(crate) async fn run(cli: Cli) -> Result<u8, WebserviceError> {
    match &cli.action {
        // These need no cluster.
        Action::Completion(arguments) => {
            paper::print_completion(arguments.shell);
            return Ok(0);
        }
        Action::Man(arguments) => return paper::write_pages(&arguments.folder).map(|()| 0),
        _ => {}
    }
    let session = Session::open().await?;
    match cli.action {
        Action::Shell(arguments) => return shell::run(&session, &arguments).await,
        Action::Exec(arguments) => return exec::run(&session, &arguments).await,
        Action::Why(arguments) => return why::run(&session, &arguments).await,
        Action::Start(arguments) => start::run(&session, &arguments).await,
        Action::Stop(arguments) => stop::run(&session, &arguments).await,
        Action::Restart(arguments) => restart::run(&session, &arguments).await,
        Action::Scale(arguments) => scale::run(&session, &arguments).await,
        Action::Migrate(arguments) => migrate::run(&session, &arguments).await,
        Action::Status(arguments) => status::run(&session, &arguments).await,
        Action::Logs(arguments) => logs::run(&session, &arguments).await,
        Action::Env(arguments) => env::run(&session, &arguments).await,
        Action::History(arguments) => history::run(&session, arguments.output).await,
        Action::Rollback(arguments) => rollback::run(&session, &arguments).await,
        Action::Edit(arguments) => Box::pin(edit::run(&session, &arguments)).await,
        Action::Open(_) => open::run(&session).await,
        Action::Completion(_) | Action::Man(_) => Ok(()),
    }
    .map(|()| 0)
}

/// Says what went wrong, with its causes, and gives the exit code.
pub(crate) fn finish(outcome: Result<u8, WebserviceError>) -> ExitCode {
    let error = match outcome {
        Ok(code) => return ExitCode::from(code),
        Err(error) => error,
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
