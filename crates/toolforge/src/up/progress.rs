//! Says what is being done when it takes longer than a moment.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A start that is done within this time needs no words.
const MOMENT: Duration = Duration::from_millis(400);
/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(100);

/// What is being done now, on a terminal; nothing where there is none.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg}") {
            bar.set_style(style);
        }
        let later = bar.clone();
        tokio::spawn(async move {
            tokio::time::sleep(MOMENT).await;
            if !later.is_finished() {
                later.enable_steady_tick(TICK);
            }
        });
        Self { bar }
    }

    /// What is being done from now on.
    pub(super) fn step(&self, what: &'static str) {
        tracing::info!("{what}");
        self.bar.set_message(what);
    }

    pub(super) fn done(self) {
        self.bar.finish_and_clear();
    }
}
