//! How much of the log on disk is kept: so many events, and so many bytes of them.
//!
//! Pure; the committer asks it what to forget.

use std::collections::VecDeque;

/// Events kept in the log, so that watches can resume after a restart.
pub(crate) const LOG_EVENTS: usize = 8192;
/// Bytes of these events at most, so that large objects do not fill the disk.
const LOG_BYTES: usize = 64 << 20;

/// The revisions in the log, and their sizes.
#[derive(Debug, Default)]
pub(crate) struct LogBounds {
    entries: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl LogBounds {
    /// An event is in the log.
    pub(crate) fn add(&mut self, revision: u64, bytes: usize) {
        self.entries.push_back((revision, bytes));
        self.bytes += bytes;
    }

    /// The revisions that are too many, oldest first. The latest always stays: it holds the place of the next.
    pub(crate) fn take_surplus(&mut self) -> Vec<u64> {
        let mut surplus = Vec::new();
        while (self.entries.len() > LOG_EVENTS || self.bytes > LOG_BYTES)
            && self.entries.len() > 1
            && let Some((revision, bytes)) = self.entries.pop_front()
        {
            self.bytes -= bytes;
            surplus.push(revision);
        }
        surplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest_of_too_many() {
        let mut bounds = LogBounds::default();
        for revision in 1..=LOG_EVENTS as u64 {
            bounds.add(revision, 1);
        }
        assert!(bounds.take_surplus().is_empty());
        bounds.add(LOG_EVENTS as u64 + 1, 1);
        assert_eq!(bounds.take_surplus(), [1]);
    }

    #[test]
    fn forgets_sooner_when_events_are_large_and_keeps_the_latest() {
        let mut bounds = LogBounds::default();
        bounds.add(1, LOG_BYTES);
        bounds.add(2, LOG_BYTES + 1);
        assert_eq!(bounds.take_surplus(), [1]);
        assert!(bounds.take_surplus().is_empty());
    }
}
