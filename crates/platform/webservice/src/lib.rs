//! The maintainer's command, and the runner that starts a tool inside its container.
//!
//! `webservice` speaks to the Kubernetes API with the tool's own credentials and to the tool's own URL;
//! it has no other way in. What it wants in the cluster is computed in `objects`, what it sees there is
//! judged in `diagnosis`; both are pure. The runner is what the container of a webservice executes; it knows
//! nothing of Kubernetes, unless it is the job of a grid (`grid`, `runner/register`) and asks the API where to
//! register. What a runtime must find in a tool's home is said once, in `needs`, for both.

mod chain;
mod cli;
mod commands;
mod diagnosis;
mod environment;
mod error;
mod exit;
mod follow;
mod grid;
mod guess;
#[cfg(test)]
mod habits;
mod history;
mod home_files;
mod image_config;
mod inside;
mod logs;
mod look;
mod manifest;
mod nearest;
mod needs;
mod objects;
mod paper;
mod platform;
mod probes;
mod registrar;
mod report;
mod resources;
mod roll;
mod runner;
mod runtime;
mod scene;
mod session;
mod settings;
mod shell;
mod template;
mod types;
mod url_check;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;

pub use image_config::problems_of_image_config;
pub use paper::command;

/// The `webservice` command; the first argument is its name.
pub fn main_webservice(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    toolforge_pki::install_provider();
    let cli = match cli::Cli::read(arguments) {
        Ok(cli) => cli,
        // Help and the version are such answers too; they end with 0.
        Err(answer) => answer.exit(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => commands::finish(runtime.block_on(commands::run(cli))),
        Err(error) => commands::finish(Err(error::WebserviceError::Start(error))),
    }
}

/// The `webservice-runner` program; the first argument is its name. It becomes the tool, or serves its
/// files, and returns only when that ends.
pub fn main_runner(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let given: Vec<OsString> = arguments.into_iter().collect();
    let arguments = runner::Arguments::parse_from(&given);
    if arguments.register_proxy {
        toolforge_pki::install_provider();
        return runner::register(&given);
    }
    runner::run(&arguments)
}
