//! Says what is being done when it takes longer than a moment.

use std::{convert::Infallible, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

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

    /// How far the step is that gives accounts what they have, until this is dropped.
    pub(super) async fn follow(
        &self,
        what: &str,
        mut news: watch::Receiver<toolforge_accounts::Progress>,
    ) -> Infallible {
        while news.changed().await.is_ok() {
            let toolforge_accounts::Progress { done, accounts } = *news.borrow_and_update();
            self.bar
                .set_message(format!("{what}: {done} of {accounts} accounts"));
        }
        std::future::pending().await
    }

    pub(super) fn done(self) {
        self.bar.finish_and_clear();
    }
}
