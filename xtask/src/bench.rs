//! `cargo xtask bench NAME`: measurements, as medians of several runs. Never a test.
//!
//! Builds the program as operators do, and the load generator (`bench/`), which does the rest. It is built alike, for it
//! is also a peer that the program is compared with.

use std::{ffi::OsString, process::Command};

use anyhow::{Context as _, ensure};

use crate::{dist, needs, process};

/// What can be measured.
const NAMES: [&str; 6] = ["start", "api", "admission", "accounts", "gateway", "status"];

pub(crate) fn run(words: &[OsString], no_profile: bool) -> anyhow::Result<()> {
    let says = |word: &str| words.iter().any(|said| said == word);
    if words.is_empty() || says("--help") || says("-h") {
        let mut bench = process::cargo();
        bench.args(["run", "--quiet", "--package", "toolforge-bench", "--"]);
        return process::run(bench.args(words));
    }
    let name = words.first().and_then(|name| name.to_str());
    let name = name.context("NAME is not text")?;
    ensure!(
        NAMES.contains(&name),
        "NAME is {name:?}, and can be {}; flags of a measurement stand behind it",
        NAMES.join(", ")
    );
    match name {
        "api" => needs::install_programs(&needs::API_PEERS)?,
        "gateway" if !says("--alone") => needs::install_programs(&needs::GATEWAY_PEERS)?,
        "status" if !says("--alone") => needs::install_programs(&needs::STATUS_PEERS)?,
        _ => {}
    }
    let built = if no_profile {
        dist::without_profile()?
    } else {
        dist::with_profile()?
    };
    let mut bench = Command::new(built.bench);
    process::run(bench.args(words).arg("--program").arg(built.program))
}
