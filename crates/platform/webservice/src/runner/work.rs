//! What there is to do for a tool, and doing it until it ends.

use std::{
    process::{Command, ExitCode},
    time::Duration,
};

use axum::Router;
use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use super::{
    children::{self, Children, Orders},
    php::Pool,
    place::Place,
};

/// How long those who are in the middle of something have after the word to end. A Pod has 30 s, of which two are over
/// before it hears (`DRAIN_SECONDS`), and SIGKILL should never be what ends a download.
const DRAIN: Duration = Duration::from_secs(25);

/// What there is to do.
#[derive(Debug)]
pub(super) enum Work {
    /// A process that listens on the port.
    Process(Process),
    /// The runner answers, where there is a pool with the help of PHP.
    Site(Router, Option<Pool>),
}

/// A process, and how it is told things.
#[derive(Debug)]
pub(super) struct Process {
    command: Command,
    /// Whether signals go to its children too.
    group: bool,
}

impl Process {
    /// A process that passes on signals itself, or has no children that need any.
    pub(super) fn alone(command: Command) -> Work {
        Work::Process(Self {
            command,
            group: false,
        })
    }

    /// A process whose children are to hear signals too, for it does not pass them on.
    pub(super) fn with_children(command: Command) -> Work {
        Work::Process(Self { command, group: true })
    }

    async fn run(mut self) -> Result<ExitCode, String> {
        let mut orders = Orders::listen().map_err(|error| error.to_string())?;
        let mut children = Children::new().map_err(|error| error.to_string())?;
        let process = children::start(&mut self.command, self.group)?;
        loop {
            tokio::select! {
                signal = orders.next() => children::tell(process, self.group, signal),
                ended = children.next_end() => if ended.process == process {
                    if self.group {
                        // What it leaves behind has nobody else to end it.
                        children::tell(process, true, Signal::TERM);
                    }
                    return Ok(ExitCode::from(children::code(ended.status)));
                },
            }
        }
    }
}

impl Work {
    /// Does it until it ends, or is told to.
    pub(super) async fn run(self, place: &Place) -> Result<ExitCode, String> {
        match self {
            Self::Process(process) => process.run().await,
            Self::Site(router, pool) => answer(router, pool, place).await,
        }
    }
}

async fn answer(router: Router, pool: Option<Pool>, place: &Place) -> Result<ExitCode, String> {
    let mut orders = Orders::listen().map_err(|error| error.to_string())?;
    let listener = place.listener().await?;
    anstream::println!(
        "serving {} on port {}",
        place.home.join("public_html").display(),
        place.port
    );
    let stop = CancellationToken::new();
    let serving = toolforge_serve::serve_and_drain(DRAIN, listener, router, stop.clone());
    tokio::pin!(serving);
    let helping = async {
        match pool {
            None => std::future::pending().await,
            Some(pool) => pool.keep_up().await,
        }
    };
    tokio::pin!(helping);
    tokio::select! {
        _ = orders.stop() => {}
        ended = &mut serving => return ended.map(|()| ExitCode::SUCCESS).map_err(|error| error.to_string()),
        sentence = &mut helping => return Err(sentence),
    }
    stop.cancel();
    // PHP goes on until those who wait for it have their answers.
    tokio::select! {
        ended = &mut serving => ended.map_err(|error| error.to_string())?,
        sentence = &mut helping => return Err(sentence),
    }
    Ok(ExitCode::SUCCESS)
}
