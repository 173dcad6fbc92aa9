//! The runner: what a container of a webservice executes. It turns a type into a process that listens on
//! the port, or answers visitors itself.
//!
//! It stands where process 1 stands: signals go on to the process, orphans are reaped, and its own exit code
//! is that of the process.

mod children;
mod languages;
mod lighttpd;
mod machine;
mod node;
mod php;
mod place;
mod python;
mod register;
mod site;
mod work;

use std::process::ExitCode;

use clap::Parser;

use crate::{needs, runtime::Runtime};
use place::Place;
pub(crate) use register::{REGISTERED, run as register};
pub(crate) use site::SiteArgs;
use work::Work;

/// Start a tool inside its container
#[derive(Debug, Parser)]
#[command(name = "webservice-runner", version)]
pub(crate) struct Arguments {
    /// What to run: static, php, lighttpd-plain, python, uwsgi-plain, nodejs, ruby, perl, jdk, golang or generic
    #[arg(long = "type", value_name = "TYPE")]
    runtime: Runtime,
    /// The port to listen on; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 0)]
    port: u16,
    /// Outside of Kubernetes: take a port and have the gateway lead the tool's host there, as long as the tool runs
    #[arg(long)]
    pub(crate) register_proxy: bool,
    /// Serve at / only, not also below the name of the tool
    #[arg(long)]
    canonical: bool,
    /// A program and its arguments, or options of the type
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "EXTRA")]
    extra: Vec<String>,
}

/// Runs the tool; returns when it ends or cannot be run, with a sentence in its log.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if let Err(error) = register::end_with_parent() {
        return failed(&format!("it cannot be bound to its parent: {error}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(serve(arguments));
            // What is still in a blocking call must not hold up the end.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(error.to_string()),
    };
    outcome.unwrap_or_else(|sentence| failed(&sentence))
}

fn failed(sentence: &str) -> ExitCode {
    anstream::eprintln!("webservice-runner: {sentence}");
    ExitCode::FAILURE
}

/// Everything in order; the port is known before anything of the tool runs.
async fn serve(arguments: &Arguments) -> Result<ExitCode, String> {
    let place = Place::find(arguments)?;
    needs::check(arguments.runtime, &place.home, &place.extra)?;
    let work = prepare(arguments.runtime, &place)?;
    work.run(&place).await
}

/// What there is to do for a runtime.
fn prepare(runtime: Runtime, place: &Place) -> Result<Work, String> {
    match runtime {
        Runtime::Static => site::of_files(place),
        Runtime::Php => php::prepare(place),
        Runtime::Lighttpd => lighttpd::plain(place),
        Runtime::Python => python::prepare(place),
        Runtime::Uwsgi => python::uwsgi_plain(place),
        Runtime::Node => node::prepare(place),
        Runtime::Ruby => languages::ruby(place),
        Runtime::Perl => languages::perl(place),
        Runtime::Jdk => languages::jdk(place),
        Runtime::Golang => languages::golang(place),
        Runtime::Generic => languages::command(place),
    }
}
