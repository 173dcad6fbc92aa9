//! One line of progress: a spinner on a terminal, and a plain line for each change in a script's log.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often the spinner turns: fast enough to be seen alive.
const TURN: Duration = Duration::from_millis(100);

/// What lasts shorter than this is not worth a line in a log.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// Where a maintainer reads what happens.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    now: String,
    since: Instant,
    logged: bool,
}

impl Progress {
    /// Begins with what is being done, such as `Starting webservice`.
    pub(crate) fn begin(doing: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {prefix}: {msg} {elapsed:.dim}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(doing.to_owned());
            bar.enable_steady_tick(TURN);
            bar
        });
        if bar.is_none() {
            anstream::println!("{doing}...");
        }
        Self {
            bar,
            now: String::new(),
            since: Instant::now(),
            logged: true,
        }
    }

    /// What is going on.
    pub(crate) fn say(&mut self, what: &str) {
        if self.now != what {
            what.clone_into(&mut self.now);
            self.since = Instant::now();
            self.logged = false;
            if let Some(bar) = &self.bar {
                bar.set_message(what.to_owned());
            }
        }
        self.tick();
    }

    /// Time has passed; what lasts is worth a line.
    pub(crate) fn tick(&mut self) {
        if self.bar.is_none() && !self.logged && self.since.elapsed() >= WORTH_A_LINE {
            self.logged = true;
            anstream::eprintln!("  {}", self.now);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
