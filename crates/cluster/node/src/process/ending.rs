//! Kills until nobody is left: one round is not enough, because a process may start another between look and kill.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::table;

/// How long killed processes may take to be gone; only those that wait for a broken disk take longer.
pub(super) const END_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait between looks: the kernel needs a moment to take processes down.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Kills whoever `living` names until it names nobody; false when some do not end.
pub(super) fn end_all(living: impl Fn() -> Vec<Pid>) -> bool {
    let limit = Instant::now() + END_LIMIT;
    loop {
        let found = living();
        if found.is_empty() {
            return true;
        }
        for pid in found {
            // It may have ended since we looked.
            let _ = kill_process(pid, Signal::KILL);
        }
        if Instant::now() > limit {
            return false;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Ends a session. Its leader has not been reaped yet, so the session's number is nobody else's.
pub(super) fn end_session(leader: Pid) -> bool {
    end_all(|| {
        table::of_session(leader)
            .into_iter()
            .map(|entry| entry.pid)
            .collect()
    })
}
