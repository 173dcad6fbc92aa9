//! The program. One file with several names: `toolforge` has the commands of the operator and each
//! component as a command of its own; called as `webservice` or `webservice-runner` it is the
//! maintainer's command and the runner that starts a tool.

mod accounts;
mod become_tool;
mod check;
mod cli;
mod client;
mod component;
mod confirm;
mod directory;
mod explain;
mod followed;
mod gateway;
mod image_config;
mod logging;
mod manifests;
mod objects;
mod outcome;
mod paper;
mod policy;
mod prometheus;
mod reference;
mod rules;
mod settings;
mod settled;
mod supervisor;
mod tool;
mod trust;
mod up;
mod upkeep;
mod user;

use std::{ffi::OsString, path::Path, process::ExitCode};

use clap::Parser as _;

use cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let called = arguments
        .first()
        .map(Path::new)
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    match called {
        Some("webservice") => return toolforge_webservice::main_webservice(arguments),
        Some("webservice-runner") => return toolforge_webservice::main_runner(arguments),
        _ => {}
    }
    match arguments.get(1).and_then(|command| command.to_str()) {
        Some("webservice") => return toolforge_webservice::main_webservice(arguments.into_iter().skip(1)),
        Some("webservice-runner") => return toolforge_webservice::main_runner(arguments.into_iter().skip(1)),
        _ => {}
    }
    outcome::exit_code(run(Cli::parse_from(arguments)))
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    toolforge_pki::install_provider();
    match cli.command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Become(arguments) => become_tool::run(&arguments),
        Command::Tool(arguments) => tool::run(arguments),
        Command::User(arguments) => user::run(arguments),
        Command::Cluster(arguments) => upkeep::run(arguments),
        Command::Trust(arguments) => trust::run(&arguments),
        Command::Check(arguments) => Ok(check::run(&arguments)),
        Command::Policy(arguments) => explain::run(&arguments),
        Command::Accounts(arguments) => accounts::run(*arguments),
        Command::Admission(arguments) => component::admission(&arguments),
        Command::Gateway(arguments) => match &arguments.command {
            Some(command) => gateway::run(command),
            None => gateway::serve(*arguments),
        },
        Command::Balance(arguments) => component::balance(arguments),
        Command::Fourohfour(arguments) => component::fourohfour(&arguments),
        Command::K8sStatus(arguments) => component::k8s_status(arguments),
        Command::Completion { shell } => Ok(paper::print_completion(shell)),
        Command::MetricsReference => {
            print!("{}", reference::page());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { folder } => paper::write_pages(&folder),
        Command::Prometheus(arguments) => prometheus::run(&arguments),
        Command::Metrics(arguments) => component::metrics(&arguments),
        Command::Manifests(arguments) => manifests::run(&arguments),
        Command::Webservice(_) | Command::WebserviceRunner(_) => {
            anyhow::bail!("options go behind `webservice`: toolforge webservice --help")
        }
    }
}
