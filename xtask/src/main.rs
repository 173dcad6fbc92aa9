//! The repository's own chores: `cargo xtask` lists them. CI calls only these.

mod bench;
mod check;
mod dist;
mod fuzz;
mod gen_patch_facts;
mod gen_wire;
mod generate;
mod needs;
mod process;
mod test;
mod tidy;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

/// The repository's own chores
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Install what the tests need, then run all of them
    Test {
        /// Behind `--`: what cargo test is to be told, such as a filter
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Look at format, lints, documentation and the shape of the house
    Check,
    /// Look at the shape of the house alone: layers, lint opt-in, file sizes, names
    Tidy,
    /// Build the program as it is to serve others, optimised by a profile of its own work: `target/toolforge`
    Dist,
    /// Measure what `dist` builds; NAME is `start`, `api`, `admission`, `accounts`, `gateway` or `status`, `cargo xtask bench NAME --help` tells the rest
    #[command(disable_help_flag = true)]
    Bench {
        /// Build without a profile: in half of the time, but not what operators are told to build
        #[arg(long)]
        no_profile: bool,
        /// What to measure, and how
        #[arg(value_name = "NAME", trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Feed parsers of outside bytes with what breaks them; TARGET is a file in `fuzz/fuzz_targets`
    Fuzz {
        /// What to feed, one after the other; all when none is named
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
        /// For how long each; 0 is until it is interrupted
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Write the generated files anew, from published definitions
    Gen,
}

fn main() -> ExitCode {
    match run(Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What failed and why, not where in this program.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<()> {
    match chore {
        Chore::Test { rest } => test::run(&rest),
        Chore::Check => check::run(),
        Chore::Tidy => tidy::run(),
        Chore::Dist => dist::run(),
        Chore::Bench { no_profile, words } => bench::run(&words, no_profile),
        Chore::Fuzz { targets, seconds } => fuzz::run(targets, seconds),
        Chore::Gen => generate::run(),
    }
}
