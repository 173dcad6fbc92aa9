//! The load generator behind `cargo xtask bench NAME`: it starts a release platform of its own, loads it as clients
//! do, and prints medians of several runs. Never a test, and no part of the program.

mod accounts;
mod admission;
mod api;
mod client;
mod etcd;
mod figures;
mod gateway;
mod platform;
mod process;
mod start;
mod status;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// The program's own, so that a peer which is made here differs in nothing but what it does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measurements of the platform
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// From `up` to ready, memory when idle, from `webservice static start` to the first 200
    Start(Runs),
    /// The built-in Kubernetes API: creates, gets, lists, watches, memory; beside a kube-apiserver when one is named
    Api(api::Arguments),
    /// The webhook server: reviews a second beside an echo on the same stack, the time of a verdict, memory
    Admission(admission::Arguments),
    /// The account service on thousands of tools: first fill, a look with nothing to do, a change of the directory, memory
    Accounts(accounts::Arguments),
    /// The gateway beside Debian's nginx and haproxy: processor time of a request and of a handshake, memory, how fast a
    /// change is in effect
    Gateway(gateway::Arguments),
    /// The public pages: of k8s-status with thousands of tools, and fourohfour beside Debian's nginx with a file
    Status(status::Arguments),
    /// The peer of `admission`
    #[command(hide = true)]
    Echo(admission::Echo),
}

/// What every measurement is told.
#[derive(Debug, Args)]
struct Runs {
    /// The program to measure
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// How often
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().bench {
        Bench::Start(runs) => start::run(&runs),
        Bench::Api(arguments) => api::run(&arguments),
        Bench::Admission(arguments) => admission::run(&arguments),
        Bench::Accounts(arguments) => accounts::run(&arguments),
        Bench::Gateway(arguments) => gateway::run(&arguments),
        Bench::Status(arguments) => status::run(&arguments),
        Bench::Echo(echo) => admission::serve_echo(&echo),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
