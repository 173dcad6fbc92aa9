//! `cargo xtask fuzz [TARGET...]`: builds fuzz targets and feeds each until a time is over or an input breaks it.
//!
//! The targets are in `fuzz/fuzz_targets`, inputs to begin with in `fuzz/seeds`. What is found becomes a test beside the
//! parser, so nothing of it runs in CI.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, bail};

use crate::process;

/// Largest input in bytes; what breaks a parser is rarely longer, and shorter inputs are tried more often.
const LARGEST_BYTES: u32 = 4096;

/// Feeds the `wanted` targets, or all, for so many seconds each; 0 is until it is interrupted.
///
/// # Errors
/// When a target is not there, does not build, or an input broke one; the input's file is printed then.
pub(crate) fn run(wanted: Vec<String>, seconds: u32) -> anyhow::Result<()> {
    let known = targets()?;
    if let Some(unknown) = wanted.iter().find(|wanted| !known.contains(wanted)) {
        bail!(
            "there is no fuzz target {unknown}; there are: {}",
            known.join(", ")
        );
    }
    let is_there = process::cargo().args(["fuzz", "--version"]).output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        process::run(process::cargo().args(["install", "--locked", "cargo-fuzz"]))?;
    }
    let wanted = if wanted.is_empty() { known } else { wanted };
    wanted.iter().try_for_each(|target| feed(target, seconds))
}

/// Builds one target and feeds it.
fn feed(target: &str, seconds: u32) -> anyhow::Result<()> {
    let folder = process::root().join("fuzz");
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("{} cannot be made", corpus.display()))?;
    let mut fuzz = process::cargo();
    // The code has no unsafe parsers, so that no address sanitizer is needed, and the stable compiler will do.
    fuzz.args(["fuzz", "run", "--sanitizer", "none", target])
        .arg(&corpus);
    // What is found goes to the first folder; these begin with what a parser understands.
    let seeds = folder.join("seeds").join(target);
    if seeds.exists() {
        fuzz.arg(&seeds);
    }
    fuzz.arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={LARGEST_BYTES}"),
        format!("-dict={}", folder.join("words.dict").display()),
        "-timeout=10".to_owned(),
        "-rss_limit_mb=2048".to_owned(),
    ]);
    process::run(bootstrapped(&mut fuzz)).with_context(|| broke(target, &folder))
}

/// What to do with an input that broke a target.
fn broke(target: &str, folder: &Path) -> String {
    let found = folder.join("artifacts").join(target);
    format!(
        "{target} did not stand; if an input broke it, it is in {}",
        found.display()
    )
}

/// The names of all targets, sorted.
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
