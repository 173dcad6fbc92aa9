//! `cargo xtask bench NAME`: measurements, as medians of several runs. Never a test.

mod start;

use clap::ValueEnum;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// From `up` to ready, memory when idle, from `webservice static start` to the first 200
    Start,
}

pub(crate) fn run(bench: Bench, runs: u32) -> anyhow::Result<()> {
    match bench {
        Bench::Start => start::run(runs),
    }
}
