//! `cargo xtask bench NAME`: measurements, as medians of several runs. Never a test.
//!
//! Builds the program as operators do (`--profile dist`), and the load generator (`bench/`), which does the rest. It is
//! built alike, for it is also a peer that the program is compared with.

use std::{ffi::OsString, path::PathBuf, process::Command};

use cargo_metadata::MetadataCommand;

use crate::{needs, process};

pub(crate) fn run(words: &[OsString]) -> anyhow::Result<()> {
    let wants_help = words.is_empty() || words.iter().any(|word| word == "--help" || word == "-h");
    build("toolforge-bench")?;
    let target = target_folder()?;
    let mut bench = Command::new(target.join("dist/toolforge-bench"));
    bench.args(words);
    if !wants_help {
        match words.first().and_then(|name| name.to_str()) {
            Some("api") => needs::install_programs(&needs::API_PEERS)?,
            Some("gateway") => needs::install_programs(&needs::GATEWAY_PEERS)?,
            Some("status") => needs::install_programs(&needs::STATUS_PEERS)?,
            _ => {}
        }
        build("toolforge")?;
        bench.arg("--program").arg(target.join("dist/toolforge"));
    }
    process::run(&mut bench)
}

fn build(package: &str) -> anyhow::Result<()> {
    process::run(process::cargo().args(["build", "--profile", "dist", "--package", package]))
}

/// Where cargo puts what it builds.
fn target_folder() -> anyhow::Result<PathBuf> {
    let metadata = MetadataCommand::new()
        .current_dir(process::root())
        .no_deps()
        .exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
}
