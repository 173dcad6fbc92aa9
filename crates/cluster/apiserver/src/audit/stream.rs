//! A stream whose end is written to the log.

use super::event::Audited;

/// Writes the end of a stream when it goes.
#[derive(Debug)]
pub(super) struct Watched(pub(super) Audited);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.finish_stream();
    }
}
