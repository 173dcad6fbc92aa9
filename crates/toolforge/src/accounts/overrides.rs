//! The file of overrides, read at the start and again when it changes.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use tokio::sync::watch;
use toolforge_accounts::Overrides;
use toolforge_serve::Notices;

/// The file.
#[derive(Debug)]
pub(super) struct OverridesFile {
    path: PathBuf,
}

impl OverridesFile {
    /// The file at this path.
    pub(super) fn of(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads it.
    pub(super) fn read(&self) -> anyhow::Result<Overrides> {
        let text = std::fs::read_to_string(&self.path)
            .with_context(|| format!("--overrides: {} cannot be read", self.path.display()))?;
        Overrides::read(&text).with_context(|| format!("--overrides: {}", self.path.display()))
    }

    /// Reads it again now and after each change; what is wrong is logged, and what was before stays.
    pub(super) fn follow(self, sender: watch::Sender<Arc<Overrides>>) -> anyhow::Result<()> {
        let mut notices = Notices::of(&[&self.path]).context("--overrides")?;
        tokio::spawn(async move {
            loop {
                match self.read() {
                    Ok(new) => {
                        sender.send_if_modified(|old| {
                            let is_new = **old != new;
                            if is_new {
                                *old = Arc::new(new);
                            }
                            is_new
                        });
                    }
                    Err(error) => tracing::error!("{error:#}; what was before stays"),
                }
                if !notices.next().await {
                    return;
                }
            }
        });
        Ok(())
    }
}
