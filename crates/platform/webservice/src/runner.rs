//! The runner: what a container of a webservice executes. It turns a type into a process that listens on
//! the port, or serves the files itself.

mod program;
mod python;
mod register;
mod static_site;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

pub(crate) use register::run as register;

/// Start a tool inside its container
#[derive(Debug, Parser)]
#[command(name = "webservice-runner", version)]
pub(crate) struct Arguments {
    /// static, python or generic
    #[arg(long = "type", value_enum)]
    runtime: Runtime,
    /// The port to listen on
    #[arg(long, env = "PORT")]
    port: u16,
    /// Outside of Kubernetes: take a port and have the gateway lead the tool's host there, as long as the tool runs
    #[arg(long)]
    pub(crate) register_proxy: bool,
    /// generic: the program and its arguments
    #[arg(last = true)]
    extra: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Runtime {
    Static,
    Python,
    Generic,
}

/// Runs the tool; returns when it ends or cannot be run, with a sentence in its log.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if let Err(error) = register::end_with_parent() {
        return failed(&format!("it cannot be bound to its parent: {error}"));
    }
    let Some(home) = std::env::home_dir() else {
        return failed("HOME is not set, so there is nothing to serve");
    };
    let outcome = match arguments.runtime {
        Runtime::Static => static_site::serve(&home.join("public_html"), arguments.port),
        Runtime::Python => Err(python::become_it(&home, arguments.port)),
        Runtime::Generic => Err(program::become_it(&home, arguments.port, &arguments.extra)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(sentence: &str) -> ExitCode {
    anstream::eprintln!("webservice-runner: {sentence}");
    ExitCode::FAILURE
}

/// Where the tool's files are, for those that cannot be.
fn not_there(path: &std::path::Path) -> String {
    format!("{} is not there", PathBuf::from(path).display())
}
