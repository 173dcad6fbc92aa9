//! `toolforge cluster restore`: makes the store of the stopped platform anew from a backup.
//!
//! It can be ended at any moment: the new store is made beside the old one, and takes its place in one step.

use std::path::Path;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use crate::up::layout::Layout;

pub(super) fn run(file: &Path, force: bool, layout: &Layout) -> anyhow::Result<()> {
    let length = std::fs::metadata(file)
        .with_context(|| format!("{} cannot be read", file.display()))?
        .len();
    layout.create()?;
    let _lock = layout.lock()?;
    let progress = bar(length);
    let restored = toolforge_apiserver::restore_backup(&layout.store(), file, force, &mut |bytes| {
        progress.set_position(bytes);
    });
    progress.finish_and_clear();
    let restored = restored?;
    anstream::println!(
        "{} objects are back; revisions go on after {}.",
        restored.objects,
        restored.revision
    );
    if let Some(aside) = restored.aside {
        anstream::println!(
            "What was there before is in {}; remove it when all is well.",
            aside.display()
        );
    }
    anstream::println!("Next: toolforge up");
    Ok(())
}

fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("restoring [{bar:30.cyan}] {bytes} of {total_bytes}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
