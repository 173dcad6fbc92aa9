//! The runner: what a container of a webservice executes. It turns a type into a process that listens on
//! the port, or serves the files itself.

mod program;
mod python;
mod static_site;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

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
