//! `cargo xtask bench NAME`: measurements, as medians of several runs. Never a test.
//!
//! Builds the program as users do, and the load generator (`bench/`), which does the rest.

use std::{ffi::OsString, path::PathBuf, process::Command};

use cargo_metadata::MetadataCommand;

use crate::process;

pub(crate) fn run(words: &[OsString]) -> anyhow::Result<()> {
    // One after the other: together, each would be built with the features that the other wants.
    for package in ["toolforge", "toolforge-bench"] {
        process::run(process::cargo().args(["build", "--release", "--package", package]))?;
    }
    let folder = release_folder()?;
    let mut bench = Command::new(folder.join("toolforge-bench"));
    bench.args(words);
    if !words.is_empty() && !words.iter().any(|word| word == "--help" || word == "-h") {
        bench.arg("--program").arg(folder.join("toolforge"));
    }
    process::run(&mut bench)
}

/// Where cargo puts what it builds for release.
fn release_folder() -> anyhow::Result<PathBuf> {
    let metadata = MetadataCommand::new()
        .current_dir(process::root())
        .no_deps()
        .exec()?;
    Ok(metadata.target_directory.as_std_path().join("release"))
}
