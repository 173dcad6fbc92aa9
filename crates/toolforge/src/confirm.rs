//! Asks before what cannot be undone: on a terminal, and nowhere else.

use std::io::{IsTerminal as _, Write as _};

use anyhow::bail;

/// Goes on when the answer is yes, or when `yes` says so already.
///
/// # Errors
/// When the answer is not yes, or there is no terminal to ask on.
pub(crate) fn ask(question: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        bail!("this has to be confirmed, and there is no terminal to ask on; say --yes");
    }
    anstream::eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    bail!("nothing was changed")
}
