//! `cargo xtask fuzz TARGET`: builds a fuzz target and feeds it until a time is over or an input breaks it.
//!
//! The targets are in `fuzz/fuzz_targets`; what is found there becomes a test beside the parser, so nothing of it runs
//! in CI.

use std::{fs, process::Command};

use anyhow::{Context as _, bail};

use crate::process;

/// Largest input in bytes; what breaks a parser is rarely longer, and shorter inputs are tried more often.
const LARGEST_BYTES: u32 = 4096;

/// Runs `target` for so many seconds; 0 is until it is interrupted.
pub(crate) fn run(target: &str, seconds: u32) -> anyhow::Result<()> {
    let folder = process::root().join("fuzz");
    let targets = targets()?;
    if !targets.iter().any(|found| found == target) {
        bail!(
            "there is no fuzz target {target}; there are: {}",
            targets.join(", ")
        );
    }
    let is_there = process::cargo().args(["fuzz", "--version"]).output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        bail!("cargo-fuzz is not installed; install it with: cargo install cargo-fuzz");
    }
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("{} cannot be made", corpus.display()))?;
    let mut fuzz = process::cargo();
    // The code has no unsafe parsers, so that no address sanitizer is needed, and the stable compiler will do.
    fuzz.args(["fuzz", "run", "--sanitizer", "none", target])
        .arg(&corpus);
    fuzz.arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={LARGEST_BYTES}"),
        format!("-dict={}", folder.join("words.dict").display()),
        "-timeout=10".to_owned(),
        "-rss_limit_mb=2048".to_owned(),
    ]);
    process::run(bootstrapped(&mut fuzz))
}

/// The names of all targets.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder = process::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for file in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = file?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Lets a stable compiler take the flags that cargo-fuzz sets.
fn bootstrapped(command: &mut Command) -> &mut Command {
    command.env("RUSTC_BOOTSTRAP", "1")
}
