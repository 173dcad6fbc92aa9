//! The table of a run of the bench of accounts, and what is to be reached.

use std::time::Duration;

use super::Fill;
use crate::figures::{Figure, milliseconds, percentile, shown};

/// A look at all accounts with nothing to do, in milliseconds, at most.
const LOOK: f64 = 500.0;
/// From a change of the directory to a kubeconfig that works, 99 of 100, in milliseconds, at most.
const CHANGE: f64 = 1000.0;

/// What was measured.
#[derive(Default)]
pub(super) struct Figures {
    /// Milliseconds of one key.
    pub(super) key: Figure,
    /// Seconds of the first fill, homes in memory.
    pub(super) fill_in_memory: Figure,
    fill: Option<Fill>,
    /// Milliseconds of a look with nothing to do.
    pub(super) look: Figure,
    /// Turns to a tool of such a look.
    pub(super) look_turns: Figure,
    /// Seconds from the start of the process until somebody who asks twice a second hears that it is done.
    pub(super) restart_at_most: Figure,
    pub(super) memory_after_restart: Figure,
    pub(super) changes: Vec<Duration>,
}

impl Figures {
    /// Takes the fill with homes on the disk.
    pub(super) fn filled(&mut self, fill: Fill) {
        self.fill = Some(fill);
    }

    pub(super) fn print(mut self) {
        println!();
        if let Some(fill) = self.fill.take() {
            self.print_fill(&fill);
        }
        row(
            "a look with nothing to do, and no write",
            self.look.median(),
            "ms",
            Some(LOOK),
        );
        row("  turns to a tool", self.look_turns.median(), "", None);
        row(
            "  with the start of the process, at most",
            self.restart_at_most.median(),
            "s",
            None,
        );
        let mut part = |percent| Some(milliseconds(percentile(&mut self.changes, percent)));
        row(
            "from a change of the directory to a working kubeconfig, p50",
            part(50),
            "ms",
            None,
        );
        row("  p99", part(99), "ms", Some(CHANGE));
        row(
            "memory of the service after a start (PSS)",
            self.memory_after_restart.median(),
            "MB",
            None,
        );
    }

    fn print_fill(&self, fill: &Fill) {
        let (took, tools) = (fill.took.as_secs_f64(), f64::from(fill.tools));
        let in_memory = self.fill_in_memory.median();
        println!("first fill of {} tools, {} writes", fill.tools, fill.writes);
        row("tools, homes on the disk", Some(tools / took), "/s", None);
        row(
            "tools, homes in memory",
            in_memory.map(|took| tools / took),
            "/s",
            None,
        );
        row("turns to a tool", Some(fill.turns / tools), "", None);
        let share = |seconds: f64| Some(100.0 * seconds / took);
        let api = share(fill.api.as_secs_f64());
        row("of its time: API and controllers, on processors", api, "%", None);
        row(
            "  service, on processors",
            share(fill.service.as_secs_f64()),
            "%",
            None,
        );
        let keys = self.key.median().and_then(|key| share(key / 1e3 * tools));
        // It is to be limited by the API's writes, and not by these.
        row("  keys, measured apart, on one processor", keys, "%", api);
        let disk = in_memory.and_then(|in_memory| share((took - in_memory).max(0.0)));
        row("  homes on the disk instead of in memory", disk, "%", api);
        row(
            "memory of the service after it (PSS)",
            Some(fill.memory_megabytes),
            "MB",
            None,
        );
    }
}

fn row(what: &str, value: Option<f64>, unit: &str, at_most: Option<f64>) {
    let Some(value) = value else { return };
    let goal = at_most.map(|most| {
        let verdict = if value <= most { "met" } else { "MISSED" };
        format!("at most {} {unit}: {verdict}", shown(most))
    });
    let line = format!(
        "  {what:<60} {:>8} {unit:<3} {}",
        shown(value),
        goal.unwrap_or_default()
    );
    println!("{}", line.trim_end());
}
