//! `cargo xtask test`: what the tests need, then all tests of the workspace.

use crate::{needs, process};

pub(crate) fn run(rest: &[String]) -> anyhow::Result<()> {
    let path = needs::install()?;
    let mut command = process::cargo();
    // All failures at once: whoever mends them sees them together.
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(rest)
        .env("PATH", path);
    process::run(&mut command)
}
